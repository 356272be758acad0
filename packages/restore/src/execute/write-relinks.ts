import { quoteIdentifier } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import { rewrittenIs } from '../preview/classify.ts'
import { keyUnique, sameKey } from '../preview/key.ts'
import { literal, newestFirst, ownRows, textOf } from '../stage/columns.ts'
import type { Stage } from '../stage/open.ts'

/**
 * Gives rewritten foreign keys their old values back, newest rewrite of a row first, where the row still exists and
 * still has the rewritten values. Fates become `relinked`, `linked` (it had the old values), `changed` or `gone`.
 */
export async function writeRelinks(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<void> {
	const key = keyUnique(stage.live, uniques)
	const { book } = stage
	const partition = stage.live.key.map((name) => `s.${quoteIdentifier(name)}`).join(', ')
	await tx.unsafe(`update ${stage.fate} f set state = 'pending', note = r.rank
		from (select s.${book.n} as n, (row_number() over (partition by ${partition}
			order by ${newestFirst(book, 's')}))::text as rank from ${stage.sql} s) r where r.n = f.n`)
	const [most] = await tx.unsafe<{ ranks: number }[]>(`select coalesce(max(note::int4), 0) as ranks from ${stage.fate}`)
	for (let rank = 1; rank <= (most?.ranks ?? 0); rank++) await writeRank(tx, stage, key, rank)
}

async function writeRank(tx: Transaction, stage: Stage, key: Unique, rank: number): Promise<void> {
	const { book } = stage
	const join = sameKey(stage.live, key, 's', 't')
	await tx.unsafe(`select from ${stage.sql} s join ${ownRows(stage.live)} t on ${join} for update of t`)
	await tx.unsafe(
		`update ${stage.fate} f set note = null, state = w.state, version = w.version
		from (select s.${book.n} as n, t.xmin::text as version, case when t.tableoid is null then 'gone'
				when ${rewrittenIs(stage, 'old')} then 'linked' when ${rewrittenIs(stage, 'new')} then 'relinking' else 'changed' end as state
			from ${stage.sql} s left join ${ownRows(stage.live)} t on ${join}) w
		where w.n = f.n and f.state = 'pending' and f.note = $1`,
		[String(rank)],
	)
	for (const version of stage.maps.keys()) await updateLinks(tx, stage, { join, version })
	await tx.unsafe(`update ${stage.fate} f set version = t.xmin::text,
			state = case when ${rewrittenIs(stage, 'old')} then 'relinked' else 'altered' end
		from ${stage.sql} s join ${ownRows(stage.live)} t on ${join} where s.${book.n} = f.n and f.state = 'relinking'`)
}

/**
 * One statement over all rewritten columns: half of a composite key would point nowhere. What a trigger rewrote along
 * with the key, and somebody wrote again since, stays.
 */
async function updateLinks(tx: Transaction, stage: Stage, at: { join: string; version: number }): Promise<void> {
	const { book } = stage
	const names = await rewrittenColumns(tx, stage, at.version)
	const map = stage.maps[at.version]
	const set = (map?.columns ?? []).flatMap((column) => {
		const archived = map?.archived.columns[column.from]?.name ?? ''
		const name = quoteIdentifier(column.to.name)
		const rewritten = `s.${book.rewritten}::jsonb`
		const isStill = `(${textOf(`t.${name}`)}) is not distinct from ${rewritten} ->> ${literal(archived)}`
		const value = `case when ${rewritten} ? ${literal(archived)} and ${isStill} then s.${name} else t.${name} end`
		return names.has(archived) && column.to.identity !== 'a' ? [`${name} = ${value}`] : []
	})
	if (set.length === 0) return
	await tx.unsafe(`update ${ownRows(stage.live)} t set ${set.join(', ')}
		from ${stage.sql} s join ${stage.fate} f on f.n = s.${book.n} and f.state = 'relinking'
		where ${at.join} and s.${book.v} = ${at.version}`)
}

async function rewrittenColumns(tx: Transaction, stage: Stage, version: number): Promise<Set<string>> {
	const rows = await tx.unsafe<{ name: string }[]>(
		`select distinct jsonb_object_keys(s.${stage.book.rewritten}::jsonb) as name from ${stage.sql} s
		where s.${stage.book.v} = ${version} and s.${stage.book.rewritten} is not null`,
	)
	return new Set(rows.map((row) => row.name))
}
