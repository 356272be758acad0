import { type ChangeRows, quoteIdentifier, ReprieveError } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { ColumnMap } from '../drift/map-columns.ts'
import { literal, textOf } from './columns.ts'
import { copyInto } from './copy-rows.ts'
import { copyText } from './copy-text.ts'
import type { Stage } from './open.ts'

/** A value accepted under another type must read back as the archived text ('007' is not 7). */
export async function checkRetyped(
	tx: Transaction,
	stage: Stage,
	columns: readonly ColumnMap[],
	chunk: { rows: ChangeRows; at: ArrayLike<number>; n: (row: number) => number },
): Promise<void> {
	const retyped = columns.filter((column) => column.retyped)
	if (retyped.length === 0) return
	const fields = retyped.map((_, i) => `c${i}`)
	await tx.unsafe(
		`create temp table retyped (n int8, ${fields.map((field) => `${field} text`).join(', ')}) on commit drop`,
	)
	const lines = copyText(
		chunk.rows,
		chunk.at,
		retyped.map((column) => column.from),
		(row) => [String(chunk.n(row))],
	)
	await copyInto(tx, `copy pg_temp.retyped (n, ${fields.join(', ')}) from stdin`, lines, stage)
	for (const [i, column] of retyped.entries()) {
		const name = quoteIdentifier(column.to.name)
		const [odd] = await tx.unsafe<{ archived: string | null; live: string | null }[]>(
			`select r.c${i} as archived, ${textOf(`s.${name}`)} as live from pg_temp.retyped r
			join ${stage.sql} s on s.${stage.book.n} = r.n where (${textOf(`s.${name}`)}) is distinct from r.c${i} limit 1`,
		)
		if (odd) throw readsBackOtherwise(stage, column.to.name, odd)
	}
	await tx.unsafe('drop table pg_temp.retyped')
}

/** The error of a value that the live column alters. */
export function readsBackOtherwise(
	stage: Stage,
	column: string,
	odd: { archived: string | null; live: string | null },
): ReprieveError {
	return new ReprieveError(
		'SCHEMA_DRIFT',
		`${stage.archivedName}: archived ${literal(odd.archived ?? '')} reads back as ${literal(odd.live ?? '')} in "${column}"`,
		{ hint: 'Map the archived column to one that keeps its values.' },
	)
}
