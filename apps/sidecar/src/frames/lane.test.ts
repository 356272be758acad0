import { encodeFrame } from '@reprieve/cdc'
import { expect, test, vi } from 'vitest'
import { rowsAt, rowsFrame } from './fixture.ts'
import { LaneReader } from './lane.ts'
import type { Belonging } from './poison.ts'

const key = Buffer.alloc(32, 3)
const lane = { topic: 'p.public.t', partition: 0 }
const sent = { ...rowsFrame(rowsAt([1, 0])), rows: fullRows() }
const [whole] = encodeFrame(sent, { key, maxRecordBytes: 100_000 }) as [Uint8Array]
const parts = encodeFrame(sent, { key, maxRecordBytes: 900 })

function fullRows() {
	const rows = rowsAt([1, 0])
	const column = {
		...{ attnum: 1, name: 'n', typeOid: 25, typmod: -1, typeName: 'text', typeKind: 'b', notNull: false },
		...({ generated: '', identity: '' } as const),
	}
	const table = { oid: 1, schema: 'public', name: 't', kind: 'r' as const, key: [], foreignKeys: [], columns: [column] }
	const bytes = Buffer.alloc(2_000, 'x')
	const columns = [{ bytes, offsets: Uint32Array.of(0, 2_000), present: Uint8Array.of(1) }]
	return { ...rows, table, columns }
}

function open(next = 10n, judge: () => Belonging = () => 'ours') {
	const onSkip = vi.fn()
	return { onSkip, reader: new LaneReader(lane, { key, next, judge, onSkip }) }
}

test('a frame of many records begins at its first and ends at its last', () => {
	const { reader } = open()
	expect(parts.length).toBeGreaterThan(2)
	const reads = parts.map((value, at) => reader.read({ offset: 10n + BigInt(at), value }))
	expect(reads.slice(0, -1).every(({ kind }) => kind === 'nothing')).toBe(true)
	expect(reads.at(-1)).toMatchObject({ kind: 'frame', offset: 10n, next: 10n + BigInt(parts.length) })
})

test('reading begins anew with the first part of a frame that is not whole', () => {
	const { reader } = open()
	reader.read({ offset: 10n, value: parts[0] as Uint8Array })
	expect([reader.resume, reader.next]).toEqual([10n, 11n])
})

test('an offset that was left out is asked for once, then passed over', () => {
	const { reader, onSkip } = open()
	expect(reader.read({ offset: 12n, value: whole })).toEqual({ kind: 'seek' })
	expect(onSkip).not.toHaveBeenCalled()
	expect(reader.read({ offset: 12n, value: whole })).toMatchObject({ kind: 'frame', next: 13n })
	expect(onSkip).toHaveBeenCalledOnce()
})

test('offsets that begin anew are read', () => {
	const { reader, onSkip } = open()
	expect(reader.read({ offset: 0n, value: whole })).toMatchObject({ kind: 'frame', next: 1n })
	expect(onSkip).toHaveBeenCalledOnce()
})

test('the rest of a frame whose beginning was passed over is no poison', () => {
	const { reader } = open()
	reader.skipTo(20n)
	expect(reader.read({ offset: 20n, value: parts[1] as Uint8Array })).toEqual({ kind: 'nothing' })
	expect(reader.read({ offset: 21n, value: whole })).toMatchObject({ kind: 'frame' })
})

test('the rest of a frame whose sender was replaced is passed over within a frame of the new one', () => {
	const { reader } = open()
	const replaced = encodeFrame(sent, { key, maxRecordBytes: 900 })
	const records = [replaced[0], parts[0], ...replaced.slice(1), ...parts.slice(1)] as Uint8Array[]
	const reads = records.map((value, at) => reader.read({ offset: 10n + BigInt(at), value }))
	expect(reads.slice(0, -1).every(({ kind }) => kind === 'nothing')).toBe(true)
	expect(reads.at(-1)).toMatchObject({ kind: 'frame', offset: 10n, next: 10n + BigInt(records.length) })
})

test('poison is not passed over', () => {
	const { reader } = open()
	expect(reader.read({ offset: 10n, value: null })).toMatchObject({ kind: 'poison', offset: 10n })
	expect([reader.resume, reader.next]).toEqual([10n, 10n])
	const foreign = open(10n, () => ({ poison: 'it is of elsewhere' })).reader
	const reads = parts.map((value, at) => foreign.read({ offset: 10n + BigInt(at), value }))
	expect(reads.at(-1)).toEqual({ kind: 'poison', offset: 9n + BigInt(parts.length), why: 'it is of elsewhere' })
	expect(foreign.resume).toBe(10n)
})

test('frames of an epoch that is over are passed over, those of one to come are not', () => {
	const past = open(10n, () => 'past').reader
	expect(past.read({ offset: 10n, value: whole })).toEqual({ kind: 'nothing' })
	expect(past.resume).toBe(11n)
	const ahead = open(10n, () => 'ahead').reader
	expect(ahead.read({ offset: 10n, value: whole })).toEqual({ kind: 'ahead' })
	expect(ahead.resume).toBe(10n)
})
