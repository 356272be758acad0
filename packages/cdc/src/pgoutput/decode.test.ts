import { expect, test } from 'vitest'
import { createDecoder } from './decode.ts'
import { cstring, int16, int32, int64, message, row } from './fixture.ts'
import type { PgoutputHandler, Tuple } from './messages.ts'

test('reads begin and commit with positions, xid and time since 1970', () => {
	const calls = decodeAll(
		message('B', int64(500n), int64(1_000_000n), int32(-2)),
		message('C', '\0', int64(500n), int64(548n), int64(1_000_000n)),
	)
	expect(calls).toEqual([
		['begin', { position: 500n, committedAt: 946_684_801_000_000n, xid: 4_294_967_294 }],
		['commit', { position: 500n, end: 548n, committedAt: 946_684_801_000_000n }],
	])
})

test('reads a relation with its identity and columns', () => {
	const columns = [
		Buffer.from([1]),
		cstring('id'),
		int32(23),
		int32(-1),
		Buffer.from([0]),
		cstring('né'),
		int32(1043),
		int32(14),
	]
	const calls = decodeAll(message('R', int32(16_400), cstring('shop'), cstring('t'), 'f', int16(2), ...columns))
	expect(calls).toEqual([
		[
			'relation',
			{
				oid: 16_400,
				schema: 'shop',
				name: 't',
				identity: 'f',
				columns: [
					{ key: true, name: 'id', typeOid: 23, typmod: -1 },
					{ key: false, name: 'né', typeOid: 1043, typmod: 14 },
				],
			},
		],
	])
})

test('reads the schema of a catalog relation, which is sent empty, as pg_catalog', () => {
	const [call] = decodeAll(message('R', int32(1), cstring(''), cstring('t'), 'd', int16(0)))
	expect(call?.[1]).toMatchObject({ schema: 'pg_catalog' })
})

test('reads deletes with whole and with key-only old rows', () => {
	const calls = decodeAll(message('D', int32(7), 'O', row('1', null, '')), message('D', int32(7), 'K', row('1', null)))
	expect(calls).toEqual([
		['delete', 7, 'O', ['1', null, '']],
		['delete', 7, 'K', ['1', null]],
	])
})

test('reads updates with and without an old row and keeps unchanged values apart from NULL', () => {
	const calls = decodeAll(
		message('U', int32(7), 'O', row('1', 'long'), 'N', row('2', undefined)),
		message('U', int32(7), 'N', row('2', null)),
	)
	expect(calls).toEqual([
		['update', 7, 'O', ['1', 'long'], ['2', undefined]],
		['update', 7, undefined, [], ['2', null]],
	])
})

test('reads inserts, truncates and logical messages, and passes over types and origins', () => {
	const calls = decodeAll(
		message('I', int32(7), 'N', row('x')),
		message('T', int32(2), Buffer.from([3]), int32(7), int32(8)),
		message('M', Buffer.from([1]), int64(99n), cstring('reprieve.tag'), int32(3), 'abc'),
		message('Y', int32(1), cstring('public'), cstring('mood')),
		message('O', int64(1n), cstring('origin')),
	)
	expect(calls).toEqual([
		['insert', 7, ['x']],
		['truncate', [7, 8]],
		['message', { transactional: true, position: 99n, prefix: 'reprieve.tag', content: 'abc' }],
	])
})

const hostile: [string, Buffer][] = [
	['an empty message', Buffer.alloc(0)],
	['an unknown kind', message('?')],
	['a begin cut short', message('B', int64(1n))],
	['a value longer than its message', message('D', int32(7), 'O', int16(1), 't', int32(2_000_000_000))],
	['a value of negative length', message('D', int32(7), 'O', int16(1), 't', int32(-5), 'abcde')],
	['more columns than bytes', message('D', int32(7), 'O', int16(32_767))],
	['a negative number of columns', message('D', int32(7), 'O', int16(-1))],
	['bytes behind the row', message('D', int32(7), 'O', row('1'), 'x')],
	['a name without end', message('R', int32(7), 'public')],
	['a logical message longer than its bytes', message('M', Buffer.from([1]), int64(1n), cstring('p'), int32(9), 'abc')],
	['more truncated relations than bytes', message('T', int32(1_000_000_000), Buffer.from([0]), int32(1))],
	['a negative number of truncated relations', message('T', int32(-1), Buffer.from([0]))],
	['a delete without a row', message('D', int32(7), 'N', row('1'))],
	['an update whose new row is missing', message('U', int32(7), 'O', row('1'), 'O', row('1'))],
	['a binary value', message('D', int32(7), 'O', int16(1), 'b', int32(1), 'x')],
]

test.each(hostile)('refuses %s before any callback', (_what, bytes) => {
	const calls: unknown[][] = []
	const decode = createDecoder(recorder(calls))
	expect(() => decode(bytes)).toThrow(/replication stream is malformed/)
	expect(calls).toEqual([])
})

test('a message cut anywhere is refused, never read beyond its end', () => {
	const whole = message('U', int32(7), 'O', row('1', 'abc', null), 'N', row('2', 'def', undefined))
	const around = Buffer.concat([whole, Buffer.alloc(64, 0x74)])
	for (let length = 0; length < whole.length; length++) {
		const decode = createDecoder(recorder([]))
		expect(() => decode(around.subarray(0, length))).toThrow(/malformed/)
	}
})

function decodeAll(...messages: Buffer[]): unknown[][] {
	const calls: unknown[][] = []
	const decode = createDecoder(recorder(calls))
	for (const bytes of messages) decode(bytes)
	return calls
}

function recorder(calls: unknown[][]): PgoutputHandler {
	return {
		begin: (begin) => calls.push(['begin', begin]),
		commit: (commit) => calls.push(['commit', commit]),
		relation: (relation) => calls.push(['relation', relation]),
		insert: (relation, row) => calls.push(['insert', relation, texts(row)]),
		update: (relation, image, old, row) => calls.push(['update', relation, image, texts(old), texts(row)]),
		delete: (relation, image, old) => calls.push(['delete', relation, image, texts(old)]),
		truncate: (relations) => calls.push(['truncate', relations]),
		message: ({ content, ...rest }) => calls.push(['message', { ...rest, content: Buffer.from(content).toString() }]),
	}
}

function texts(tuple: Tuple): (string | null | undefined)[] {
	return Array.from({ length: tuple.count }, (_, place) => {
		const length = tuple.length[place] as number
		if (length < 0) return length === -1 ? null : undefined
		const start = tuple.start[place] as number
		return Buffer.from(tuple.bytes.subarray(start, start + length)).toString()
	})
}
