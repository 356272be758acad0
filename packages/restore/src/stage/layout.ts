import { quoteIdentifier, quoteTable, type SourceTable } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { type Book, bookFor, freshPrefix } from './columns.ts'

/** The temporary tables of a stage, and how they are read. */
export type Layout = {
	/** SQL of a FROM item with the live table's columns and the book's. */
	sql: string
	book: Book
	/** Table that has the book's columns; a row of the stage is gone when it is gone from here. */
	bookTable: string
	/** Set where the values have a table of their own: its name, and the book's column with the place (ctid) of a row in it. */
	apart?: { table: string; place: string }
}

const bookTypes: Record<keyof Book, string> = {
	n: 'int8',
	v: 'int4',
	timeline: 'int4',
	position: 'int8',
	ordinal: 'int8',
	op: 'int2',
	rewritten: 'text',
	seen: 'text',
	change: 'text',
}

/** Bytes of a page's one row that the book and its own header do not need. */
const roomBeside = 7_900

/**
 * Makes the tables. Stored generated columns are computed in them as in the live table; nothing in them is NOT NULL, so
 * that the archive's NULLs reach the live table's own check. Where a row may fill its page, or the table has as many
 * columns as there can be, no column is added to it: the book lies apart.
 */
export async function makeTables(tx: Transaction, live: SourceTable, number: number): Promise<Layout> {
	const book = bookFor(live)
	const columns = Object.entries(book).map(([field, name]) => `${name} ${bookTypes[field as keyof Book]}`)
	const bookTable = `pg_temp.stage_${number}`
	if (!(await mayFillPage(tx, live))) {
		await tx.unsafe(`create temp table stage_${number} (like ${quoteTable(live)} including generated) on commit drop`)
		await tx.unsafe(
			`alter table ${bookTable} ${[...loosen(live), ...columns.map((column) => `add ${column}`)].join(', ')}`,
		)
		return { sql: bookTable, book, bookTable }
	}
	const table = `pg_temp.values_${number}`
	const place = quoteIdentifier(`${freshPrefix(live)}place`)
	await tx.unsafe(`create temp table values_${number}
		(like ${quoteTable(live)} including generated including storage including compression) using heap on commit drop`)
	if (loosen(live).length > 0) await tx.unsafe(`alter table ${table} ${loosen(live).join(', ')}`)
	await tx.unsafe(`create temp table stage_${number} (${columns.join(', ')}, ${place} tid) on commit drop`)
	const own = Object.values(book).map((name) => `b.${name}`)
	// Joined as one: rows of stage and live table side by side can have more columns than a tuple may.
	const sql = `(select v.*, ${own.join(', ')} from ${bookTable} b join ${table} v on v.ctid = b.${place} offset 0)`
	return { sql, book, bookTable, apart: { table, place } }
}

function loosen(live: SourceTable): string[] {
	return live.columns
		.filter((column) => column.notNull)
		.map((column) => `alter ${quoteIdentifier(column.name)} drop not null`)
}

/** Whether a row with all its large values put out of line may still be so long that the book does not fit beside it. */
async function mayFillPage(tx: Transaction, live: SourceTable): Promise<boolean> {
	const [row] = await tx<{ bytes: number }[]>`
		select sum(case when t.typlen > 0 then t.typlen + 7 when t.typstorage = 'p' then ${roomBeside}::int4 else 31 end)::int4
			+ count(*)::int4 / 8 as bytes
		from pg_attribute a join pg_type t on t.oid = a.atttypid
		where a.attrelid = ${live.oid}::int8::oid and a.attnum > 0 and not a.attisdropped`
	return (row?.bytes ?? 0) > roomBeside
}
