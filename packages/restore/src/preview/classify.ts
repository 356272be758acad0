import { quoteIdentifier } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import {
	freshPrefix,
	keyColumns,
	list,
	literal,
	newestFirst,
	ownRows,
	relinkOp,
	sameImage,
	textOf,
} from '../stage/columns.ts'
import { joinFate } from '../stage/fates.ts'
import { isWide, type Stage } from '../stage/open.ts'
import { refuseLongConflicts } from '../stage/pieces.ts'
import { keyUnique, sameKey } from './key.ts'
import { areAllMissing } from './missing.ts'

/** States that {@link classify} gives relinks. */
export const relinkStates: readonly string[] = ['relinkable', 'linked', 'gone', 'changed']

/**
 * Fills the stage's fate table. Rows to bring back are `missing`, `same`, `different`, `taken` (another live row holds a
 * unique value) or `superseded` (an older change of the same key); relinks are `relinkable`, `linked` (already as they
 * were), `gone` or `changed`. Where all rows are missing the table stays empty: see {@link joinFate}.
 */
export async function classify(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<void> {
	const key = keyUnique(stage.live, uniques)
	if (stage.rows === 0) return
	const isNested = isWide(stage)
	if (await areAllMissing(tx, stage, uniques)) return
	const isAnalyzed = stage.rows > plannedBlindly || isNested
	const statements = [
		isNested && `create unique index on ${stage.bookTable} (${stage.book.n})`,
		isAnalyzed && `set local default_statistics_target = ${statisticsTarget}`,
		isAnalyzed && `analyze ${[stage.bookTable, ...(stage.apart ? [stage.apart.table] : [])].join(', ')}`,
		stage.relinks < stage.rows && classifyRows(stage, key),
		stage.relinks > 0 && classifyRelinks(stage, key),
		isNested && `create unique index on ${stage.fate} (n)`,
	]
	await tx.unsafe(statements.filter((statement) => statement !== false).join(';'))
	if (stage.relinks < stage.rows) {
		for (const unique of uniques) {
			if (unique === key || unique.table !== stage.live.oid) continue
			await markTaken(tx, stage, unique)
		}
	}
	if (isAnalyzed) await tx.unsafe(`analyze ${stage.fate}`)
	await refuseLongConflicts(tx, stage)
}

/**
 * Rows up to which a stage has neither indexes nor statistics: of a table that was never analyzed the planner supposes ten
 * pages, about as many.
 */
const plannedBlindly = 500

/** Rows looked at are 300 times as many (documentation of ANALYZE): enough to tell a key from a column of few values. */
const statisticsTarget = 10

/**
 * SQL over alias s (stage) and t (live): the row is as it was, in the columns that its schema version maps. A stage that
 * has only some of them cannot say so of any.
 */
export function sameRow(stage: Stage): string {
	const cases = stage.maps.map((map, version) => {
		const columns = map.columns.map((column) => column.to)
		return `when ${version} then ${sameImage(columns, stage, ['s', 't'])}`
	})
	return cases.length === 0 || stage.only ? 'false' : `case s.${stage.book.v} ${cases.join(' ')} else false end`
}

function classifyRows(stage: Stage, key: Unique): string {
	const { book } = stage
	const keys = keyColumns(stage.live)
	const partition = list(keys, 's')
	return `
		insert into ${stage.fate} (n, state, version)
		select s.${book.n},
			case when s.newer > 1 then 'superseded' when t.tableoid is null then 'missing'
				when ${sameRow(stage)} then 'same' else 'different' end,
			case when s.newer = 1 then t.xmin::text end
		from (select s.*, row_number() over (partition by ${partition} order by ${newestFirst(book, 's')})
				as newer
			from ${stage.sql} s where s.${book.op} <> ${relinkOp}) s
		left join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')}`
}

function classifyRelinks(stage: Stage, key: Unique): string {
	const { book } = stage
	return `
		insert into ${stage.fate} (n, state, version)
		select s.${book.n}, case
			when t.tableoid is null then case when exists (
				select from ${stage.sql} d join ${stage.fate} f on f.n = d.${book.n} and f.state = 'missing'
				where ${sameKey(stage.live, key, 'd', 's')}) then 'relinkable' else 'gone' end
			when ${rewrittenIs(stage, 'old')} then 'linked' when ${rewrittenIs(stage, 'new')} then 'relinkable'
			else 'changed' end, t.xmin::text
		from ${stage.sql} s left join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')}
		where s.${book.op} = ${relinkOp}`
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
	if (unique.exclusion || stage.rows === 1) return
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
	if (stage.rows === 0) return {}
	if (stage.areMissing) return { missing: stage.rows }
	// No row has a fate that is not in the stage: nothing is joined for counts.
	const rows = await tx.unsafe<{ state: string; rows: number }[]>(
		`select f.state, count(*)::int4 as rows from ${stage.fate} f group by f.state`,
	)
	return Object.fromEntries(rows.map((row) => [row.state, row.rows]))
}
