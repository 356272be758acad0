import { quoteIdentifier } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import { freshPrefix, keyColumns, list, literal, newestFirst, ownRows, sameImage, textOf } from '../stage/columns.ts'
import type { Stage } from '../stage/open.ts'
import { refuseLongConflicts } from '../stage/pieces.ts'
import { keyUnique, sameKey } from './key.ts'

const relinkOp = 1

/** States that {@link classify} gives relinks. */
export const relinkStates: readonly string[] = ['relinkable', 'linked', 'gone', 'changed']

/**
 * Fills the stage's fate table. Rows to bring back are `missing`, `same`, `different`, `taken` (another live row holds a
 * unique value) or `superseded` (an older change of the same key); relinks are `relinkable`, `linked` (already as they
 * were), `gone` or `changed`.
 */
export async function classify(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<void> {
	await tx.unsafe(`create unique index on ${stage.bookTable} (${stage.book.n})`)
	await tx.unsafe(`analyze ${[stage.bookTable, ...(stage.apart ? [stage.apart.table] : [])].join(', ')}`)
	const key = keyUnique(stage.live, uniques)
	await classifyRows(tx, stage, key)
	await classifyRelinks(tx, stage, key)
	await tx.unsafe(`create unique index on ${stage.fate} (n)`)
	for (const unique of uniques) {
		if (unique === key || unique.table !== stage.live.oid) continue
		await markTaken(tx, stage, unique)
	}
	await tx.unsafe(`analyze ${stage.fate}`)
	await refuseLongConflicts(tx, stage)
}

/** SQL over alias s (stage) and t (live): the row is as it was, in the columns that its schema version maps. */
export function sameRow(stage: Stage): string {
	const cases = stage.maps.map((map, version) => {
		const columns = map.columns.map((column) => column.to)
		return `when ${version} then ${sameImage(columns, stage, ['s', 't'])}`
	})
	return cases.length === 0 ? 'false' : `case s.${stage.book.v} ${cases.join(' ')} else false end`
}

async function classifyRows(tx: Transaction, stage: Stage, key: Unique): Promise<void> {
	const { book } = stage
	const keys = keyColumns(stage.live)
	const partition = list(keys, 's')
	await tx.unsafe(`
		insert into ${stage.fate} (n, state, version)
		select s.${book.n},
			case when s.newer > 1 then 'superseded' when t.tableoid is null then 'missing'
				when ${sameRow(stage)} then 'same' else 'different' end,
			case when s.newer = 1 then t.xmin::text end
		from (select s.*, row_number() over (partition by ${partition} order by ${newestFirst(book, 's')})
				as newer
			from ${stage.sql} s where s.${book.op} <> ${relinkOp}) s
		left join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')}`)
}

async function classifyRelinks(tx: Transaction, stage: Stage, key: Unique): Promise<void> {
	const { book } = stage
	await tx.unsafe(`
		insert into ${stage.fate} (n, state, version)
		select s.${book.n}, case
			when t.tableoid is null then case when exists (
				select from ${stage.sql} d join ${stage.fate} f on f.n = d.${book.n} and f.state = 'missing'
				where ${sameKey(stage.live, key, 'd', 's')}) then 'relinkable' else 'gone' end
			when ${rewrittenIs(stage, 'old')} then 'linked' when ${rewrittenIs(stage, 'new')} then 'relinkable'
			else 'changed' end, t.xmin::text
		from ${stage.sql} s left join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')}
		where s.${book.op} = ${relinkOp}`)
}

/**
 * SQL over s and t: the foreign keys that a relink rewrote hold their old (archived) or their new (rewritten) values. What
 * a trigger rewrote along with them does not decide: it may have been written again since.
 */
export function rewrittenIs(stage: Stage, which: 'old' | 'new'): string {
	const cases = stage.maps.map((map, version) => {
		const rewritten = `s.${stage.book.rewritten}::jsonb`
		const keys = map.archived.foreignKeys.flatMap((key) => key.onDeleteColumns)
		const hasKey = `${rewritten} ?| array[${keys.map(literal).join(', ')}]::text[]`
		const tests = map.columns.map((column) => {
			const name = quoteIdentifier(column.to.name)
			const archived = map.archived.columns[column.from]?.name ?? ''
			const field = literal(archived)
			const value = which === 'old' ? textOf(`s.${name}`) : `${rewritten} ->> ${field}`
			const counts = `${rewritten} ? ${field}${keys.includes(archived) ? '' : ` and not ${hasKey}`}`
			return `(not (${counts}) or (${textOf(`t.${name}`)}) is not distinct from (${value}))`
		})
		return `when ${version} then ${tests.join(' and ') || 'true'}`
	})
	return cases.length === 0 ? 'false' : `(case s.${stage.book.v} ${cases.join(' ')} else false end)`
}

/** Rows whose value in another unique index a live row, or a newer row of the selection, already has. */
async function markTaken(tx: Transaction, stage: Stage, unique: Unique): Promise<void> {
	const { book } = stage
	const prefix = freshPrefix(stage.live)
	const values = unique.parts.map((_, i) => quoteIdentifier(`${prefix}e${i}`))
	const fields = unique.parts.map((part, i) => `(${part.expression}) as ${values[i]}`).join(', ')
	const predicate = unique.predicate ? `where ${unique.predicate}` : ''
	const equal = unique.parts.map((part, i) => {
		const test = `a.${values[i]} ${part.operator} b.${values[i]}`
		return unique.nullsEqual ? `(${test} or (a.${values[i]} is null and b.${values[i]} is null))` : test
	})
	const staged = `(select ${fields}, l.* from ${stage.sql} l ${predicate})`
	await tx.unsafe(
		`update ${stage.fate} f set state = 'taken', note = $1 from ${staged} a
		where f.n = a.${book.n} and f.state = 'missing' and exists (
			select from (select ${fields} from ${ownRows(stage.live)} l ${predicate}) b where ${equal.join(' and ')})`,
		[unique.name],
	)
	if (unique.exclusion) return
	const present = unique.nullsEqual ? '' : `and num_nulls(${values.map((value) => `a.${value}`).join(', ')}) = 0`
	await tx.unsafe(
		`update ${stage.fate} f set state = 'taken', note = $1
		from (select a.${book.n} as n, row_number() over (partition by ${values.map((value) => `a.${value}`).join(', ')}
				order by ${newestFirst(book, 'a')}) as newer
			from ${staged} a join ${stage.fate} g on g.n = a.${book.n} and g.state = 'missing' ${present}) w
		where w.n = f.n and w.newer > 1`,
		[unique.name],
	)
}

/** Counts by state. */
export async function countFates(tx: Transaction, stage: Stage): Promise<Record<string, number>> {
	const rows = await tx.unsafe<{ state: string; rows: number }[]>(
		`select state, count(*)::int4 as rows from ${stage.fate} group by state`,
	)
	return Object.fromEntries(rows.map((row) => [row.state, row.rows]))
}
