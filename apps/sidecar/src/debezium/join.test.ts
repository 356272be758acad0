import type { DebeziumEnd } from '@reprieve/cdc'
import { expect, test } from 'vitest'
import { Join } from './join.ts'

const committed = 1_795_403_730_189n

function end(xid: number, lsn: bigint, ms = committed): DebeziumEnd {
	return { xid, end: lsn, committedMs: ms, events: 2, counts: new Map() }
}

let offset = 0n

function event(xid: number, order: number, after: bigint | null, ms = committed) {
	const body = {
		...{ before: { id: order }, after: null, op: 'd' },
		source: {
			connector: 'postgresql',
			name: 'p',
			schema: 'public',
			table: 't',
			txId: xid,
			sequence: JSON.stringify([after === null ? null : `${after}`, '1']),
		},
		transaction: { id: `${xid}:1`, total_order: order, data_collection_order: order },
	}
	const text = JSON.stringify(body).replace('"txId"', `"ts_us":${ms}388,"txId"`)
	return { offset: offset++, value: Buffer.from(text), headers: {} }
}

const tombstone = () => ({ offset: offset++, value: null, headers: {} })
const xids = (taken: { xid: number; order: number } | undefined) => taken && [taken.xid, taken.order]

test('events of one transaction come in their order, from whichever partition has them', () => {
	const join = new Join('p')
	join.add('a:0', event(1, 1, null))
	join.add('a:0', tombstone())
	join.add('a:0', event(1, 3, null))
	join.add('b:0', event(1, 2, null))
	expect([1, 2, 3, 4].map((order) => xids(join.take(end(1, 10n), order, [])))).toEqual([
		[1, 1],
		[1, 2],
		[1, 3],
		undefined,
	])
})

test('what a connector that was killed sends again is dropped, in the middle of a transaction and before it', () => {
	const join = new Join('p')
	for (const order of [1, 2, 3]) join.add('a:0', event(2, order, 10n))
	for (const order of [2, 3, 4]) join.add('a:0', event(2, order, 10n))
	expect([1, 2, 3, 4].map((order) => xids(join.take(end(2, 20n), order, [])))).toEqual([
		[2, 1],
		[2, 2],
		[2, 3],
		[2, 4],
	])
	join.ended(end(2, 20n))
	for (const order of [3, 4]) join.add('a:0', event(2, order, 10n))
	join.add('a:0', event(3, 1, 20n, committed + 5n))
	expect(xids(join.take(end(3, 30n, committed + 5n), 1, []))).toEqual([3, 1])
})

test('events of a later transaction stay, also when it reuses a number', () => {
	const join = new Join('p')
	join.add('a:0', event(7, 1, 20n, committed + 9n))
	expect(join.take(end(7, 20n), 1, [])).toBeUndefined()
	expect(xids(join.take(end(7, 40n, committed + 9n), 1, []))).toEqual([7, 1])
})

test('a connector that lost its offsets sends its first transaction again without a date: dropped once it ended', () => {
	const join = new Join('p')
	join.ended(end(1, 10n))
	join.add('a:0', event(1, 1, null))
	join.add('a:0', event(2, 1, 10n, committed + 1n))
	expect(xids(join.take(end(2, 20n, committed + 1n), 1, []))).toEqual([2, 1])
})

test('what is used up is known by partition, and its bytes are given back', () => {
	const join = new Join('p')
	const first = event(1, 1, null)
	join.add('a:0', first)
	join.add('b:0', event(1, 2, null))
	expect(join.bytes).toBeGreaterThan(0)
	join.take(end(1, 10n), 1, [])
	expect(join.consumed.get('a:0')).toBe(first.offset + 1n)
	join.take(end(1, 10n), 2, [])
	expect(join.bytes).toBe(0)
})
