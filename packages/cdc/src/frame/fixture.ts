import type { ChangeRows, SourceTable, TextColumn } from '@reprieve/contracts'
import type { FrameHeader, RowsFrame, SentTransaction, TransactionsFrame } from './frame.ts'

export const key = Buffer.alloc(32, 7)

export const header: FrameHeader = {
	database: 'shop',
	lineage: 'b7c1',
	epoch: 3,
	session: 'c0ffee',
	topic: 'reprieve.public.orders',
	partition: 2,
	predecessor: { position: 2n ** 64n - 1n, ordinal: 0xffffffff },
	isUrgent: true,
}

export function tableOf(names: string[], key: string[] = []): SourceTable {
	return {
		oid: 4_294_967_295,
		schema: 'public',
		name: 'orders',
		kind: 'p',
		columns: names.map((name, at) => ({
			attnum: at + 1,
			name,
			typeOid: 25,
			typmod: -1,
			typeName: 'text',
			typeKind: 'b',
			notNull: at === 0,
			generated: '',
			identity: '',
			...(at === 1 && { default: `'\n'::text` }),
		})),
		key,
		foreignKeys: [
			{
				name: 'orders_parent',
				oid: 17,
				columns: ['parent'],
				references: { oid: 16, schema: 'public', name: 'parents', columns: ['id'] },
				onDelete: 'setNull',
				onDeleteColumns: ['parent'],
				deferrable: true,
				validated: false,
			},
		],
	}
}

export type Cells = readonly (string | Uint8Array | null)[]

/** A column as a slice from the middle of a larger one has it: offsets begin anywhere, arrays are longer than needed. */
export function columnOf(cells: Cells, before = 0, behind = 0): TextColumn {
	const values = cells.map((cell) => Buffer.from(cell ?? ''))
	const offsets = new Uint32Array(cells.length + 1 + behind)
	offsets[0] = before
	for (const [at, value] of values.entries()) offsets[at + 1] = (offsets[at] as number) + value.length
	const bytes = Buffer.concat([Buffer.alloc(before, 'b'), ...values, Buffer.alloc(behind, 'a')])
	const present = new Uint8Array(cells.length + behind)
	for (const [at, cell] of cells.entries()) present[at] = cell === null ? 0 : 1
	return { bytes, offsets, present }
}

export function cellsOf({ bytes, offsets, present }: TextColumn, count: number): (string | null)[] {
	return Array.from({ length: count }, (_, row) =>
		present[row] === 1 ? Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString('latin1') : null,
	)
}

/** Rows with every bookkeeping column at its ends. */
export function rowsOf(columns: Cells[], more: Partial<ChangeRows> = {}): ChangeRows {
	const count = columns[0]?.length ?? 0
	const each = Array.from({ length: count }, (_, row) => row)
	return {
		table: tableOf(columns.map((_, at) => `c${at}`)),
		count,
		columns: columns.map((cells) => columnOf(cells)),
		op: Uint8Array.from(each, (row) => row % 4),
		position: BigUint64Array.from(each, (row) => 2n ** 64n - 1n - BigInt(count - (row >> 1))),
		ordinal: Uint32Array.from(each, (row) => 0xffffffff - count + row),
		xid: Uint32Array.from(each, (row) => 0xffffffff - (row >> 1)),
		committedAt: BigInt64Array.from(each, (row) => (row % 3 === 0 ? -(2n ** 63n) : 2n ** 63n - 1n)),
		leaf: each.map((row) => (row % 3 === 0 ? null : `leaf "${row % 3}"`)),
		rewritten: each.map((row) => (row % 4 === 1 ? { parent: null, 'a "b"': '\ud800é' } : null)),
		...more,
	}
}

export function rowsFrame(columns: Cells[], more: Partial<ChangeRows> = {}): RowsFrame {
	return { kind: 'rows', header, rows: rowsOf(columns, more), isComplete: true }
}

/** What two frames of equal meaning have in common, whatever their arrays are views into. */
export function meaningOf({ header, isComplete, rows }: RowsFrame) {
	const { columns, count, op, position, ordinal, xid, committedAt, rewritten, ...others } = rows
	return {
		header,
		isComplete,
		...others,
		count,
		// As text: matchers pass over an own __proto__.
		rewritten: rewritten.map((values) => JSON.stringify(values)),
		columns: columns.map((column) => cellsOf(column, count)),
		numbers: [op, position, ordinal, xid, committedAt].map((array) => [...array.subarray(0, count)].map(String)),
	}
}

const signed = { lineage: 'b7c1', xid: '18446744073709551615', id: 'run_1', batch: 4 }

export const sentTransaction: SentTransaction = {
	archived: {
		position: { timeline: 2, lsn: 2n ** 63n },
		end: 2n ** 63n + 1n,
		xid: 0xffffffff,
		committedAt: -5n,
		rows: { 'odd."t.b"': { deleted: 2, relinked: 1 } },
		tag: { kind: 'run', ...signed, actor: 'anna', reason: 'stale\nrows' },
		seal: { ...signed, rows: { orders: { deleted: 2, relinked: 0 } }, collateral: {} },
		claim: { actor: 'app', reason: 'ünïcode' },
		barriers: ['nonce'],
	},
	position: 2n ** 63n,
	end: 2n ** 63n + 1n,
	xid: 0xffffffff,
	committedAt: -5n,
	isUrgent: true,
	incidents: [
		{ id: 'i1', code: 'TRUNCATED', message: 'm', remedy: 'r', table: 'orders', position: 9n, stopsCapture: true },
		{ id: 'i2', code: 'OTHER', message: 'm', remedy: 'r', stopsCapture: false },
	],
	gaps: [{ table: 'orders', position: 10n, reason: 'unprotected' }],
	shares: [
		{
			table: 'orders',
			topic: 'reprieve.public.orders',
			partition: 0,
			rows: 2,
			final: { position: 2n ** 63n, ordinal: 7 },
		},
	],
}

export const transactionsFrame: TransactionsFrame = {
	kind: 'transactions',
	header: { ...header, topic: 'reprieve.transactions', partition: 0, isUrgent: false },
	transactions: [
		sentTransaction,
		{ ...{ position: 1n, end: 2n, xid: 3, committedAt: 4n, isUrgent: false }, incidents: [], gaps: [], shares: [] },
	],
	received: 2n ** 64n - 1n,
	isFinal: true,
}
