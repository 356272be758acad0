import { quoteIdentifier, type SourceColumn } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { literal, newestFirst, textOf } from '../stage/columns.ts'
import type { Stage } from '../stage/open.ts'

/**
 * Numbers the relinks of each row in the notes of their fates, the newest 1, and gives those fates, which are in one of the
 * states `from`, the state `to`. Answers the highest number.
 */
export async function rankRelinks(
	tx: Transaction,
	stage: Stage,
	states: { from: readonly string[]; to: string },
): Promise<number> {
	const { book } = stage
	const keys = stage.live.key.map((name) => `s.${quoteIdentifier(name)}`).join(', ')
	await tx.unsafe(`update ${stage.fate} f set state = ${literal(states.to)}, note = r.rank
		from (select s.${book.n} as n, (row_number() over (partition by ${keys} order by ${newestFirst(book, 's')}))::text as rank
			from ${stage.sql} s join ${stage.fate} g on g.n = s.${book.n} and g.state in (${states.from.map(literal).join(', ')})) r
		where r.n = f.n`)
	const [most] = await tx.unsafe<{ ranks: number }[]>(
		`select coalesce(max(note::int4), 0) as ranks from ${stage.fate} where state = ${literal(states.to)}`,
	)
	return most?.ranks ?? 0
}

/** A live column and the SQL of SET that undoes what relinks did to it. */
type Undone = { to: SourceColumn; set: string }

/**
 * What undoes a relink `s` of a schema version in the row of an alias, in the columns that any of them rewrote: a value stays
 * that is not the rewritten one.
 */
export async function undoRelinks(
	tx: Transaction,
	stage: Stage,
	at: { version: number; row: string },
): Promise<Undone[]> {
	const names = await rewrittenColumns(tx, stage, at.version)
	const map = stage.maps[at.version]
	const rewritten = `s.${stage.book.rewritten}::jsonb`
	return (map?.columns ?? []).flatMap(({ from, to }) => {
		const archived = map?.archived.columns[from]?.name ?? ''
		if (!names.has(archived)) return []
		const name = quoteIdentifier(to.name)
		const isStill = `(${textOf(`${at.row}.${name}`)}) is not distinct from ${rewritten} ->> ${literal(archived)}`
		const value = `case when ${rewritten} ? ${literal(archived)} and ${isStill} then s.${name} else ${at.row}.${name} end`
		return [{ to, set: `${name} = ${value}` }]
	})
}

async function rewrittenColumns(tx: Transaction, { sql, book }: Stage, version: number): Promise<Set<string>> {
	const rows = await tx.unsafe<{ name: string }[]>(
		`select distinct jsonb_object_keys(s.${book.rewritten}::jsonb) as name from ${sql} s
		where s.${book.v} = ${version} and s.${book.rewritten} is not null`,
	)
	return new Set(rows.map((row) => row.name))
}
