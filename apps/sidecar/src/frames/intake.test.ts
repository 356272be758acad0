import { encodeFrame } from '@reprieve/cdc'
import type { CaptureIncident } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { offsetMark, transactionsSource } from '../kafka/sources.ts'
import type { Lane } from './brokers.ts'
import { endOf } from './chain.ts'
import { transactionsFrame } from './fixture.ts'
import { Flusher } from './flusher.ts'
import { Intake, type IntakeOptions } from './intake.ts'
import type { KnownTransactions } from './known.ts'
import type { Epoch } from './lineage.ts'

const key = new Uint8Array(32)
const epoch = { lineage: { id: 'l' }, epoch: 1, prefix: 'p', partitions: 1 } as Epoch
const mark = offsetMark(transactionsSource('l', 1))
const log = pino({ level: 'silent' })
const given = (): Lane => ({ topic: 'p.transactions', partition: 0 })
const batch = (end: bigint) => ({ end, beat: async () => {} })

/** An intake over a vault whose record of transactions stands where the test says. */
function openIntake() {
	const stands = new Map([
		['l', 10n],
		[mark, 1n],
	])
	const begun: bigint[] = []
	const raised: CaptureIncident[] = []
	const resolved: Lane[] = []
	/** What the test does when the vault has answered, and before the answer is here. */
	const meanwhile = { archived: async (_: string) => {}, offsets: async () => {}, check: async () => {} }
	const told: bigint[][] = []
	const group: IntakeOptions['group'] = {
		begin: (_, offset) => begun.push(offset),
		pause() {},
		resume() {},
		async commit(offsets) {
			told.push(offsets.map(({ offset }) => offset))
			if (told.length === 1) throw new Error('the group gives partitions anew')
		},
		async offsets() {
			await meanwhile.offsets()
			return () => undefined
		},
		ends: async () => undefined,
	}
	const transactions = {
		async archived(source: string) {
			const answer = stands.get(source)
			await meanwhile.archived(source)
			return answer
		},
		async *read() {},
		append: async () => ({ outcome: 'committed' }),
	}
	const vault = { database: 'shop', transactions } as unknown as Vault
	const records: IntakeOptions['records'] = {
		receipts: async () => {},
		copied: async () => 0n,
		raise: async (incident) => void raised.push(incident),
		resolve: async (lane) => resolved.push(lane),
		lose: async () => {},
	}
	const onFailure = (error: unknown) => {
		throw error
	}
	const intake = new Intake({
		...{ records, vault, epoch, key, group, log, onFailure, closed: new Set(), clock: systemClock, patienceMs: 60_000 },
		flusher: new Flusher({
			...{ config: { lingerMs: 1, bufferBytes: 1_000_000 }, log, holdings: () => intake, onFailure },
			...{ onGap: async () => {}, onCommitted() {} },
		}),
		known: { check: () => meanwhile.check(), add() {} } as unknown as KnownTransactions,
		onDrained() {},
	})
	return { intake, stands, meanwhile, begun, raised, resolved, told }
}

/** A record with a frame that follows everything before `from`. */
function recordAt(offset: bigint, from: bigint) {
	const frame = transactionsFrame([], { received: from + 10n, predecessor: endOf(from - 1n) })
	return { offset, value: encodeFrame(frame, { key, maxRecordBytes: 10_000 })[0] as Uint8Array }
}

test.each([1, 2, 3])('receipts that another archiver writes behind look %i of an opening leave no hole', async (at) => {
	const { intake, stands, meanwhile, begun, raised } = openIntake()
	let looks = 0
	meanwhile.archived = async () => {
		if (++looks === at) stands.set('l', 20n).set(mark, 2n)
	}
	intake.give([given()])
	await intake.open()
	expect(looks).toBe(3)
	const records = [recordAt(1n, 10n), recordAt(2n, 20n)].filter(({ offset }) => offset >= (begun[0] as bigint))
	await intake.records(given(), records, batch(3n))
	expect(raised).toEqual([])
	await intake.close()
})

test('a lane that is given again while it is opened is opened all the same', async () => {
	const { intake, meanwhile, begun } = openIntake()
	meanwhile.offsets = async () => intake.give([given()])
	intake.give([given()])
	await intake.open()
	expect(begun).toEqual([1n])
	await intake.close()
})

test('a lane that went and came back while it was opened is opened anew', async () => {
	const { intake, stands, meanwhile, begun } = openIntake()
	let looks = 0
	meanwhile.archived = async (source) => {
		if (source === 'l') looks++
		if (looks < 2) return
		meanwhile.archived = async () => {}
		intake.give([])
		stands.set('l', 20n).set(mark, 2n)
		intake.give([given()])
	}
	intake.give([given()])
	await intake.open()
	expect(begun).toEqual([])
	await intake.open()
	expect(begun).toEqual([2n])
	await intake.close()
})

test('what a lane lacked is not resolved by an archiver that has it no more', async () => {
	const { intake, resolved } = openIntake()
	intake.give([given()])
	await intake.open()
	await intake.records(given(), [], batch(0n))
	intake.give([])
	await intake.tend()
	expect(resolved).toEqual([])

	intake.give([given()])
	await intake.open()
	await intake.records(given(), [], batch(0n))
	await intake.tend()
	expect(resolved).toEqual([given()])
	await intake.close()
})

test('a lane that goes while its frame is taken says nothing of its end', async () => {
	const { intake, meanwhile, resolved, raised } = openIntake()
	intake.give([given()])
	await intake.open()
	await intake.records(given(), [recordAt(1n, 30n)], batch(3n))
	meanwhile.check = async () => intake.give([])
	await intake.records(given(), [recordAt(2n, 40n)], batch(3n))
	await intake.tend()
	expect(raised).toEqual([])
	expect(resolved).toEqual([])
	await intake.close()
})

test('what the group could not be told of is told again, and what it was told is not', async () => {
	const { intake, told } = openIntake()
	intake.give([given()])
	await intake.open()
	await intake.tend()
	await intake.tend()
	await intake.tend()
	expect(told).toEqual([[1n], [1n]])
	await intake.close()
})
