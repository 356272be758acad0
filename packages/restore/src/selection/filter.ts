import { type ChangeRows, changeOps, quoteIdentifier, type Where } from '@reprieve/contracts'
import { compileWhere, type Transaction } from '@reprieve/postgres'
import { copyInto } from '../stage/copy-rows.ts'
import { copyText } from '../stage/copy-text.ts'
import type { TableRequest } from './resolve.ts'

/** Indices of the chunk's rows that a request wants; its predicate is evaluated by PostgreSQL on the archived types. */
export async function wantedRows(tx: Transaction, request: TableRequest, rows: ChangeRows): Promise<Uint32Array> {
	const ops = new Set(request.ops.map((op) => changeOps.indexOf(op)))
	const at = Uint32Array.from({ length: rows.count }, (_, i) => i).filter((i) => ops.has(rows.op[i] as number))
	if (!request.where || at.length === 0) return at
	return filterRows(tx, request.where, rows, at)
}

/** Those of the rows for which the predicate holds. Throws INVALID for a column that the archived version has not. */
export async function filterRows(
	tx: Transaction,
	where: Where,
	rows: ChangeRows,
	at: Uint32Array,
): Promise<Uint32Array> {
	const compiled = compileWhere(where, rows.table, 't')
	const names = new Set(compiled.leaves.map((leaf) => leaf.column))
	const columns = rows.table.columns.flatMap((column, index) => (names.has(column.name) ? [{ column, index }] : []))
	const fields = columns.map(({ column }) => `${quoteIdentifier(column.name)} ${column.typeName}`)
	let ordinal = '~at'
	while (names.has(ordinal)) ordinal += '~'
	const at_ = quoteIdentifier(ordinal)
	await tx.unsafe(`create temp table filter (${[`${at_} int8`, ...fields].join(', ')}) on commit drop`)
	const targets = [at_, ...columns.map(({ column }) => quoteIdentifier(column.name))]
	const lines = copyText(
		rows,
		at,
		columns.map(({ index }) => index),
		(row) => [String(row)],
	)
	await copyInto(tx, `copy pg_temp.filter (${targets.join(', ')}) from stdin`, lines, { archivedName: rows.table.name })
	const kept = await tx.unsafe<{ at: string }[]>(
		`select t.${at_}::text as at from pg_temp.filter t where ${compiled.text} order by t.${at_}`,
		compiled.params,
	)
	await tx.unsafe('drop table pg_temp.filter')
	return Uint32Array.from(kept, (row) => Number(row.at))
}
