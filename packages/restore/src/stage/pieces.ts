import { type ChangeRows, quoteIdentifier, ReprieveError, type TextColumn } from '@reprieve/contracts'
import { arrayLiteral, type Transaction } from '@reprieve/postgres'
import type { ColumnMap } from '../drift/map-columns.ts'
import { keyObject, textOf } from './columns.ts'
import { copyInto, refusal } from './copy-rows.ts'
import { copyText } from './copy-text.ts'
import type { Stage } from './open.ts'
import { readsBackOtherwise } from './retyped.ts'

/** Text of a value that comes in pieces: the server refuses a line of COPY above 1 GB, and holds it several times. */
const longBytes = 64 * 1024 * 1024
const pieceBytes = 1024 * 1024
/** What the server can put together as text, and may have to escape on its way to who looks at it. */
const longestText = 2 ** 30 - 64
const longestShown = 256 * 1024 * 1024

/** Rows whose lines have the same columns, and the columns whose values come in pieces behind them. */
export type StagePart = { at: ArrayLike<number>; columns: ColumnMap[]; long: LongCell[] }

type LongCell = { row: number; map: ColumnMap }

/** A staged value that came in pieces. */
export type LongValue = { n: number; column: string; bytes: number }

/** Rows without long values together, each other one on its own. */
export function partsOf(rows: ChangeRows, at: ArrayLike<number>, columns: ColumnMap[]): StagePart[] {
	if (columns.every(({ from }) => (rows.columns[from]?.bytes.length ?? 0) <= longBytes))
		return [{ at, columns, long: [] }]
	const isLong = (row: number, { from }: ColumnMap) => sizeAt(rows.columns[from], row) > longBytes
	const [whole, cut]: [number[], StagePart[]] = [[], []]
	for (const row of Array.from(at)) {
		const long = columns.filter((column) => isLong(row, column))
		if (long.length === 0) whole.push(row)
		else {
			const rest = columns.filter((column) => !long.includes(column))
			cut.push({ at: [row], columns: rest, long: long.map((map) => ({ row, map })) })
		}
	}
	return cut.length === 0 ? [{ at, columns, long: [] }] : [{ at: whole, columns, long: [] }, ...cut]
}

function sizeAt(column: TextColumn | undefined, row: number): number {
	return column ? (column.offsets[row + 1] as number) - (column.offsets[row] as number) : 0
}

/** The columns of each table that hold bytes, also under the name of a domain. */
export async function readByteColumns(tx: Transaction, oids: readonly number[]): Promise<Map<number, Set<string>>> {
	const rows = await tx<{ oid: number; names: string[] }[]>`
		with recursive chain(oid, name, type) as (
			select attrelid, attname::text, atttypid from pg_attribute
			where attrelid = any(${arrayLiteral(oids)}::oid[]) and attnum > 0 and not attisdropped
			union all
			select chain.oid, name, typbasetype from chain join pg_type t on t.oid = chain.type where t.typtype = 'd')
		select oid::int8::float8 as oid, json_agg(name) as names from chain where type = 'bytea'::regtype group by oid`
	return new Map(rows.map(({ oid, names }) => [Number(oid), new Set(names)]))
}

/**
 * Puts a long value into its staged row, and sees that it reads back as it was archived where the live type is another.
 * Throws SCHEMA_DRIFT when the live column refuses it, LIMIT_EXCEEDED when no value of its type can be so long.
 */
export async function putInPieces(
	tx: Transaction,
	stage: Stage,
	rows: ChangeRows,
	cell: LongCell & { n: number },
): Promise<void> {
	const { row, n, map } = cell
	const column = rows.columns[map.from] as TextColumn
	const bytes = sizeAt(column, row)
	const value = { n, column: map.to.name, bytes }
	const isHex = stage.byteColumns.has(map.to.name) && isHexAt(column, row)
	if (!isHex && bytes > longestText) {
		throw await tooLong(tx, stage, value, `a ${map.to.typeName} can have at most ${longestText}`)
	}
	if (isHex && map.retyped && !isLowerHex(column, row)) throw altered(stage, value)
	await tx.unsafe(`create temp table pieces (i int4, piece ${isHex ? 'bytea' : 'text'}) on commit drop`)
	await tx.unsafe('alter table pg_temp.pieces alter piece set storage external')
	await copyInto(tx, 'copy pg_temp.pieces (i, piece) from stdin', linesOf(rows, cell, isHex), stage)
	// Sorted before they are made long: the sort holds pointers.
	const ordered = '(select piece from pg_temp.pieces order by i) p'
	const whole = `select string_agg(piece, '')::${map.to.typeName} from ${ordered}`
	await setValue(tx, stage, value, whole)
	if (map.retyped && !isHex) await checkText(tx, stage, value, ordered)
	await tx.unsafe('drop table pg_temp.pieces')
	stage.long.push(value)
}

function isHexAt({ bytes, offsets }: TextColumn, row: number): boolean {
	const start = offsets[row] as number
	return bytes[start] === 0x5c && bytes[start + 1] === 0x78
}

/** What the server writes of bytes, which is what it would read them back as. */
function isLowerHex({ bytes, offsets }: TextColumn, row: number): boolean {
	for (let at = (offsets[row] as number) + 2; at < (offsets[row + 1] as number); at++) {
		const byte = bytes[at] as number
		if (!((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))) return false
	}
	return true
}

function linesOf(rows: ChangeRows, { row, map }: LongCell, isHex: boolean): Iterable<Buffer> {
	const { bytes, offsets: places } = rows.columns[map.from] as TextColumn
	const [start, end] = [places[row] as number, places[row + 1] as number]
	if (isHex) return hexLines(bytes, start + 2, end)
	const offsets = cutText(bytes, start, end)
	const count = offsets.length - 1
	const pieces = { ...rows, count, columns: [{ bytes, offsets, present: new Uint8Array(count).fill(1) }] }
	return copyText(pieces, [...new Uint32Array(count).keys()], [0], (i) => [String(i)])
}

/** Digits need no escape, so the pieces are views. */
function* hexLines({ buffer, byteOffset }: Uint8Array, start: number, end: number): Generator<Buffer> {
	for (let at = start, i = 0; at < end; at += pieceBytes, i++) {
		yield Buffer.from(`${i}\t\\\\x`)
		yield Buffer.from(buffer, byteOffset + at, Math.min(pieceBytes, end - at))
		yield Buffer.from('\n')
	}
}

/** Where the values lie apart a row is found by its place, which an update changes. */
async function setValue(tx: Transaction, stage: Stage, { n, column }: LongValue, whole: string): Promise<void> {
	const { bookTable, book, apart, filled } = stage
	const set = `set ${quoteIdentifier(column)} = (${whole})`
	const put = apart
		? `with moved as (update ${apart.table} ${set}
				where ctid = (select ${apart.place} from ${bookTable} where ${book.n} = ${n}) returning ctid as place)
			update ${bookTable} b set ${apart.place} = moved.place from moved where b.${book.n} = ${n}
			returning greatest(moved.place, '${filled}'::tid)::text as filled`
		: `update ${bookTable} ${set} where ${book.n} = ${n}`
	const rows = await tx.unsafe<{ filled: string }[]>(put).catch((error) => {
		throw refusal(stage, error)
	})
	stage.filled = rows[0]?.filled ?? filled
}

async function checkText(tx: Transaction, stage: Stage, value: LongValue, ordered: string): Promise<void> {
	const text = textOf(`s.${quoteIdentifier(value.column)}`)
	const odd = await tx.unsafe(`select from ${stage.sql} s where s.${stage.book.n} = ${value.n}
		and (${text}) is distinct from (select string_agg(piece, '') from ${ordered})`)
	if (odd.length > 0) throw altered(stage, value)
}

function altered(stage: Stage, { column, bytes }: LongValue): ReprieveError {
	return readsBackOtherwise(stage, column, { archived: `${bytes} bytes of text`, live: 'another value' })
}

/** Throws LIMIT_EXCEEDED for a long row that something else stands in the way of: both would have to be shown, and kept. */
export async function refuseLongConflicts(tx: Transaction, stage: Stage): Promise<void> {
	const shown = stage.long.filter(({ bytes }) => bytes > longestShown)
	for (const value of shown) {
		const [row] = await tx.unsafe<{ state: string }[]>(`select state from ${stage.fate} where n = ${value.n}
			and state in ('different', 'taken', 'gone', 'changed')`)
		if (row) {
			const most = `at most ${longestShown} can be shown beside a live row`
			throw await tooLong(tx, stage, value, `${most}, and this one is ${row.state}`)
		}
	}
}

async function tooLong(tx: Transaction, stage: Stage, value: LongValue, most: string): Promise<ReprieveError> {
	const [row] = await tx.unsafe<{ key: string }[]>(
		`select ${keyObject(stage.live, 's')}::text as key from ${stage.sql} s where s.${stage.book.n} = ${value.n}`,
	)
	return new ReprieveError(
		'LIMIT_EXCEEDED',
		`${stage.archivedName} ${row?.key}: column "${value.column}" has ${value.bytes} bytes of text, ${most}`,
		{ hint: 'Leave the row out of the selection, or make room for it in the live table first.' },
	)
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
