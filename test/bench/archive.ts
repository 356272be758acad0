import { createHash } from 'node:crypto'
import type { ChangeRows, SourceColumn, SourceTable, TextColumn } from '@reprieve/contracts'

/** In which order keys are archived: as they rise, or so that every segment has keys from end to end. */
export type KeyOrder = 'rising' | 'scattered'

const types = { bigint: 20, integer: 23, text: 25, boolean: 16, date: 1082, timestamptz: 1184, numeric: 1700 }

function column(attnum: number, name: string, type: keyof typeof types, typmod = -1): SourceColumn {
	const fixed = { typeKind: 'b', notNull: false, generated: '', identity: '' } as const
	return { attnum, name, typeOid: types[type], typmod, typeName: type, ...fixed }
}

/** The table of the other contests: ten columns, about 200 bytes a row. */
const table: SourceTable = {
	...{ oid: 16_400, schema: 'public', name: 'archived', kind: 'r', key: ['id'], foreignKeys: [] },
	columns: [
		column(1, 'id', 'bigint'),
		column(2, 'customer', 'integer'),
		column(3, 'email', 'text'),
		column(4, 'name', 'text'),
		column(5, 'note', 'text'),
		column(6, 'amount', 'numeric', ((12 << 16) | 2) + 4),
		column(7, 'placed', 'timestamptz'),
		column(8, 'day', 'date'),
		column(9, 'payload', 'text'),
		column(10, 'active', 'boolean'),
	],
}

/** The key of the n-th row that is archived; a factor without a common divisor scatters them over 2^40. */
export function keyOf(n: number, order: KeyOrder): bigint {
	return order === 'rising' ? BigInt(n) : (BigInt(n) * 0x9e_3779_b97fn) % 2n ** 40n
}

/** Rows `from` to `from + count`, deleted by one transaction. */
export function makeRows(from: number, count: number, order: KeyOrder): ChangeRows {
	const cells = Array.from({ length: count }, (_, at) => rowOf(from + at, order))
	return {
		table,
		count,
		columns: table.columns.map((_, place) => textColumn(cells.map((row) => row[place] as string))),
		op: new Uint8Array(count),
		position: new BigUint64Array(count).fill(BigInt(from + 1)),
		ordinal: Uint32Array.from({ length: count }, (_, at) => at),
		xid: new Uint32Array(count).fill(from + 1),
		committedAt: new BigInt64Array(count).fill(1_700_000_000_000_000n + BigInt(from)),
		leaf: new Array(count).fill(null),
		rewritten: new Array(count).fill(null),
	}
}

function rowOf(n: number, order: KeyOrder): string[] {
	const md5 = (text: string) => createHash('md5').update(text).digest('hex')
	const placed = new Date(1_704_067_200_000 + n * 1000).toISOString()
	return [
		String(keyOf(n, order)),
		String(n % 50_000),
		`user${n}@example.com`,
		md5(String(n)),
		md5(String(n * 7)).repeat(2),
		((n % 100_000) / 100).toFixed(2),
		`${placed.slice(0, 10)} ${placed.slice(11, 19)}+00`,
		placed.slice(0, 10),
		`{"n": ${n}, "tag": "x${n % 10}"}`,
		n % 3 === 0 ? 't' : 'f',
	]
}

function textColumn(texts: string[]): TextColumn {
	const offsets = new Uint32Array(texts.length + 1)
	texts.forEach((text, at) => {
		offsets[at + 1] = (offsets[at] as number) + text.length
	})
	return { bytes: Buffer.from(texts.join(''), 'latin1'), offsets, present: new Uint8Array(texts.length).fill(1) }
}
