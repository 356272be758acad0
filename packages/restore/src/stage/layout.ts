import { quoteIdentifier, quoteTable, type SourceTable } from '@reprieve/contracts'
import { arrayLiteral, type Transaction } from '@reprieve/postgres'
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
}

/** Bytes of a page's one row that the book and its own header do not need. */
const roomBeside = 7_900

/**
 * Lays tables out for rows of the live one. Stored generated columns are computed in them as in the live table; nothing in
 * them is NOT NULL, so that the archive's NULLs reach the live table's own check. Where a row may fill its page, or the
 * table has as many columns as there can be, no column is added to it: the book lies apart.
 */
export function layOut(
	live: SourceTable,
	number: number,
	fillsPage: boolean,
): { layout: Layout; statements: string[] } {
	const book = bookFor(live)
	const columns = Object.entries(book).map(([field, name]) => `${name} ${bookTypes[field as keyof Book]}`)
	const bookTable = `pg_temp.stage_${number}`
	if (!fillsPage) {
		const like = `like ${quoteTable(live)} including generated`
		return {
			layout: { sql: bookTable, book, bookTable },
			statements: [
				`create temp table stage_${number} (${[like, ...columns].join(', ')}) on commit drop`,
				...loosened(bookTable, live),
			],
		}
	}
	const table = `pg_temp.values_${number}`
	const place = quoteIdentifier(`${freshPrefix(live)}place`)
	const own = Object.values(book).map((name) => `b.${name}`)
	// Joined as one: rows of stage and live table side by side can have more columns than a tuple may.
	const sql = `(select v.*, ${own.join(', ')} from ${bookTable} b join ${table} v on v.ctid = b.${place} offset 0)`
	return {
		layout: { sql, book, bookTable, apart: { table, place } },
		statements: [
			`create temp table values_${number}
				(like ${quoteTable(live)} including generated including storage including compression) using heap on commit drop`,
			...loosened(table, live),
			`create temp table stage_${number} (${columns.join(', ')}, ${place} tid) on commit drop`,
		],
	}
}

function loosened(table: string, live: SourceTable): string[] {
	const columns = live.columns.filter((column) => column.notNull)
	if (columns.length === 0) return []
	return [
		`alter table ${table} ${columns.map(({ name }) => `alter ${quoteIdentifier(name)} drop not null`).join(', ')}`,
	]
}

/** Tables whose row, with all its large values put out of line, may still be so long that the book does not fit beside it. */
export async function readFillingPage(tx: Transaction, oids: number[]): Promise<Set<number>> {
	const rows = await tx<{ oid: number }[]>`
		select a.attrelid::int8::float8 as oid from pg_attribute a join pg_type t on t.oid = a.atttypid
		where a.attrelid = any(${arrayLiteral(oids)}::oid[]) and a.attnum > 0 and not a.attisdropped
		group by a.attrelid
		having sum(case when t.typlen > 0 then t.typlen + 7 when t.typstorage = 'p' then ${roomBeside}::int4 else 31 end)::int4
			+ count(*)::int4 / 8 > ${roomBeside}::int4`
	return new Set(rows.map((row) => Number(row.oid)))
}
