import { quoteIdentifier, quoteTable, ReprieveError, type SourceColumn } from '@reprieve/contracts'
import { longestRowBytes, type Transaction } from '@reprieve/postgres'
import { scanRows } from '../scan-rows.ts'
import { isSameRow } from '../source.ts'
import type { MeasuredTable } from './measure.ts'

/** The most bytes of text that a stored byte may hold, by compression and by its type (varbit: eight). */
const mostPerByte = 2048

/** Stored bytes below which a value of another type than text or bytea is not written out to be weighed. */
const lightBytes = 64 * 1024

const byteaOid = 17
const textOids = new Set([25, 1042, 1043])

/**
 * Refuses a plan of which a row, written as text, is longer than every part on its way to the vault and back carries: its
 * deletion would stop capture for the whole database. Values are weighed by their headers where their type allows. Throws
 * LIMIT_EXCEEDED with the row's table, key and widest column.
 */
export async function refuseLongRows(sql: Transaction, tables: MeasuredTable[]): Promise<void> {
	for (const measured of tables) {
		const columns = await readLargeColumns(sql, measured)
		if (columns.length > 0) await refuseLongest(sql, measured, columns)
	}
}

/** Columns whose values may lie out of line, where so much lies there that a row may be too long. */
async function readLargeColumns(sql: Transaction, { table }: MeasuredTable): Promise<SourceColumn[]> {
	const rows = await sql<{ attnum: number }[]>`
		with recursive tree(oid) as (
			select ${table.oid}::int8::oid union all select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid)
		select a.attnum from pg_attribute a
		where a.attrelid = ${table.oid}::int8::oid and a.attnum > 0 and a.attlen = -1 and a.attstorage <> 'p'
			and a.attgenerated = '' and (
				select sum(pg_relation_size(c.reltoastrelid)) from tree join pg_class c on c.oid = tree.oid
				where c.reltoastrelid <> 0) > ${longestRowBytes / mostPerByte}::int8`
	const attnums = new Set(rows.map((row) => row.attnum))
	return table.columns.filter((column) => attnums.has(column.attnum))
}

async function refuseLongest(sql: Transaction, measured: MeasuredTable, columns: SourceColumn[]): Promise<void> {
	const { planned, table, key } = measured
	const texts = columns.map((column) => textBytes(column))
	const keys = key.map(({ column }) => `t.${quoteIdentifier(column)}::text`)
	const rows = sql.unsafe<{ bytes: string; key: string[]; sizes: string[] }[]>(
		`select bytes::text as bytes, to_json(key) as key, to_json(sizes::text[]) as sizes from (
			select array[${keys.join(', ')}]::text[] as key, array[${texts.join(', ')}]::int8[] as sizes, ${texts.join(' + ')} as bytes
			from ${scanRows(planned)} p
			join ${quoteTable(table)} t on t.tableoid = p.leaf and ${isSameRow(key, 't', 'p')}) weighed
		where bytes > ${longestRowBytes} order by bytes desc limit 1`,
	)
	const [longest] = await rows.catch((error: unknown) => {
		throw refusedText(error, planned.table)
	})
	if (!longest) return
	const sizes = longest.sizes.map(Number)
	const widest = columns[sizes.indexOf(Math.max(...sizes))]
	const named = key.map(({ column }, at) => `${column} = ${longest.key[at]}`).join(', ')
	throw new ReprieveError(
		'LIMIT_EXCEEDED',
		`the row of ${planned.table} with ${named} takes ${longest.bytes} bytes as text, most of it in ${widest?.name} (${widest?.typeName}); ${longestRowBytes} can be archived`,
		{ hint },
	)
}

/** What the server's refusal to write a value as text means. */
function refusedText(error: unknown, table: string): unknown {
	const { code, message } = error as { code?: string; message: string }
	if (code !== 'XX000' && code !== '54000') return error
	return new ReprieveError(
		'LIMIT_EXCEEDED',
		`a planned row of ${table} has a value that the server cannot write as text (${message}); ${longestRowBytes} bytes of a row can be archived`,
		{ hint, cause: error },
	)
}

const hint = 'Leave the row out by a condition of the policy, or move the value out of the table and take the row then.'

/** SQL of the bytes of a value's text, by its header where there is a function for that. */
function textBytes({ name, typeOid }: SourceColumn): string {
	const value = `t.${quoteIdentifier(name)}`
	if (typeOid === byteaOid) return `coalesce(octet_length(${value})::int8 * 2 + 2, 0)`
	if (textOids.has(typeOid)) return `coalesce(octet_length(${value})::int8, 0)`
	return `coalesce(case when pg_column_size(${value}) > ${lightBytes} then octet_length(${value}::text)::int8 end, 0)`
}
