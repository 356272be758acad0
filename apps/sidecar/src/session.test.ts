import type { Control } from '@reprieve/control'
import type { Sql } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import type { ChangeSink } from './capture/sink.ts'
import type { OpenLineage } from './lineage/open.ts'
import { acknowledgeOnceOpen, makeFrameHandler, type SessionOptions, streamInto } from './session.ts'

test('a keepalive in the middle of a transaction says nothing of what was received', () => {
	const kept: bigint[] = []
	const assembler = { isOpen: false, handle: () => undefined }
	const handle = makeFrameHandler({
		sink: { keepalive: (position) => void kept.push(position), relief: () => undefined },
		...{ assembler, reliefBytes: 1_000, signal: new AbortController().signal },
	})
	const keepalive = (walEnd: bigint) => handle({ kind: 'keepalive', walEnd, replyRequested: false })
	void keepalive(10n)
	assembler.isOpen = true
	void keepalive(20n)
	assembler.isOpen = false
	void keepalive(30n)
	expect(kept).toEqual([10n, 30n])
})

test('what is acknowledged while the stream is being opened is said when it is open', () => {
	const said: bigint[] = []
	const { acknowledge, opened } = acknowledgeOnceOpen()
	acknowledge(10n)
	acknowledge(20n)
	opened({ acknowledge: (position) => void said.push(position) })
	acknowledge(30n)
	expect(said).toEqual([20n, 30n])
})

test('a sink whose stream cannot be opened is stopped', async () => {
	const vault = { keys: async () => [], transactions: { async *read() {} } } as unknown as Vault
	const sink = { standpoint: {}, stop: vi.fn(async () => {}) }
	const never = new AbortController().signal
	const options = {
		config: { databaseUrl: 'postgres://127.0.0.1:1/nowhere', bufferBytes: 1_000 },
		...{ vault, sql: {} as Sql, control: {} as Control, log: pino({ level: 'silent' }), signal: never },
	} as SessionOptions
	const opened = { lineage: { id: 'l' }, slot: 's', archived: 1n, confirmed: 1n } as OpenLineage
	const lease = { async check() {}, checkTaken() {}, isHeld: () => true, release: async () => {} }
	const streaming = streamInto(
		options,
		{ lease, opened },
		{
			openBuffer: () => Promise.reject(new Error('no table comes')),
			openSink: ({ acknowledge }) => {
				acknowledge(1n)
				return sink as unknown as ChangeSink
			},
		},
	)
	await expect(streaming).rejects.toMatchObject({ code: 'ECONNREFUSED' })
	expect(sink.stop).toHaveBeenCalledOnce()
})
