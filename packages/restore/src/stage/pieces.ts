import { type ChangeRows, quoteIdentifier, type SourceColumn } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { ColumnMap } from '../drift/map-columns.ts'
import { copyInto } from './copy-rows.ts'
import { copyText } from './copy-text.ts'

/** Text of a value that comes in pieces: the server refuses a line of COPY above 1 GB, and holds it several times. */
const longBytes = 64 * 1024 * 1024
/** The same for a domain: it may not take the NULL that stands there meanwhile. */
const longDomainBytes = 512 * 1024 * 1024
const pieceBytes = 1024 * 1024
const byteaOid = 17

/** A value of a chunk that is too long for a line. */
export type LongCell = { row: number; from: number; to: SourceColumn }

/** The long values of some rows. */
export function longCells(rows: ChangeRows, at: ArrayLike<number>, columns: readonly ColumnMap[]): LongCell[] {
	return columns.flatMap(({ from, to }) => {
		const offsets = rows.columns[from]?.offsets
		const limit = to.typeKind === 'd' ? longDomainBytes : longBytes
		const isLong = (row: number) => offsets && (offsets[row + 1] as number) - (offsets[row] as number) > limit
		return Array.from(at).flatMap((row) => (isLong(row) ? [{ row, from, to }] : []))
	})
}

/** The rows with NULL in place of these values. */
export function withoutCells(rows: ChangeRows, cells: readonly LongCell[]): ChangeRows {
	if (cells.length === 0) return rows
	const columns = rows.columns.map((column, at) => {
		const left = cells.filter(({ from }) => from === at)
		const present = Uint8Array.from(column.present)
		for (const { row } of left) present[row] = 0
		return left.length === 0 ? column : { ...column, present }
	})
	return { ...rows, columns }
}

/** Puts a long value into its staged row. Throws SCHEMA_DRIFT when the live column refuses it. */
export async function putInPieces(
	tx: Transaction,
	stage: { bookTable: string; book: { n: string }; archivedName: string },
	rows: ChangeRows,
	{ row, from, to, n }: LongCell & { n: number },
): Promise<void> {
	const column = rows.columns[from] as ChangeRows['columns'][number]
	const [start, end] = [column.offsets[row] as number, column.offsets[row + 1] as number]
	const isHex = to.typeOid === byteaOid && column.bytes[start] === 0x5c && column.bytes[start + 1] === 0x78
	const offsets = cutText(column.bytes, isHex ? start + 2 : start, end)
	const count = offsets.length - 1
	const pieces = { ...rows, count, columns: [{ bytes: column.bytes, offsets, present: new Uint8Array(count).fill(1) }] }
	const lines = copyText(
		pieces,
		Uint32Array.from({ length: count }, (_, i) => i),
		[0],
		(i) => [String(i)],
	)
	await tx.unsafe('create temp table pieces (i int4, piece text) on commit drop')
	await copyInto(tx, 'copy pg_temp.pieces (i, piece) from stdin', lines, stage)
	const whole = isHex
		? `string_agg(decode(piece, 'hex'), ''::bytea order by i)`
		: `string_agg(piece, '' order by i)::${to.typeName}`
	await tx.unsafe(`update ${stage.bookTable} set ${quoteIdentifier(to.name)} = (select ${whole} from pg_temp.pieces)
		where ${stage.book.n} = ${n}`)
	await tx.unsafe('drop table pg_temp.pieces')
}

/** Where pieces of whole characters begin, and where the last one ends. */
function cutText(bytes: Uint8Array, start: number, end: number): Uint32Array {
	const offsets = [start]
	for (let at = start + pieceBytes; at < end; at += pieceBytes) {
		while (((bytes[at] as number) & 0xc0) === 0x80) at--
		offsets.push(at)
	}
	return Uint32Array.from([...offsets, end])
}
