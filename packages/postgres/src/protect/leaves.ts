import { type Finding, formatTableName, type TableName } from '@reprieve/contracts'
import { readClosure } from '../catalog/closure.ts'
import type { Sql } from '../session.ts'
import { protectTable } from './apply.ts'
import { recordGap } from './gaps.ts'

/** {@link protectNewLeaves} for short intervals: closures are read only when the catalog is not what it was when all was protected. */
export function keepLeavesProtected(sql: Sql, options: { lockTimeoutMs?: number } = {}): () => Promise<Finding[]> {
	let protectedAt: string | undefined
	return async () => {
		// Read first: what changes meanwhile makes the next one differ.
		const mark = await readReachMark(sql)
		if (mark === protectedAt) return []
		protectedAt = undefined
		const findings = await protectNewLeaves(sql, options)
		if (findings.length === 0) protectedAt = mark
		return findings
	}
}

/** Digest over all that decides which tables protection reaches: foreign keys, inheritance, what is protected and still there. */
async function readReachMark(sql: Sql): Promise<string> {
	const [row] = await sql<{ mark: string }[]>`
		with facts(fact) as (
			select format('key %s %s %s %s', f.oid, f.conrelid, f.confrelid, f.confdeltype) from pg_constraint f
			where f.contype = 'f' and f.confdeltype in ('c', 'n', 'd')
			union all
			select format('child %s %s %s', i.inhrelid, i.inhparent, c.relispartition)
			from pg_inherits i join pg_class c on c.oid = i.inhrelid
			union all
			select format('protected %s %s %s', p.oid, p.why, c.oid) from reprieve.protected_tables p
			left join pg_class c on c.oid = p.oid)
		select encode(sha256(convert_to(coalesce(string_agg(fact, ',' order by fact collate "C"), ''), 'UTF8')), 'hex') as mark
		from facts`
	return row?.mark ?? ''
}

/**
 * Protects what came into the closure of protected tables since (new partitions, new foreign keys), forgets what was
 * dropped, and records the gaps. Answers the findings of what could not be protected. For upkeep, at short intervals:
 * {@link keepLeavesProtected}.
 */
export async function protectNewLeaves(sql: Sql, options: { lockTimeoutMs?: number } = {}): Promise<Finding[]> {
	await forgetDropped(sql)
	const records = await sql<{ oid: number; why: string }[]>`
		select p.oid::float8 as oid, p.why from reprieve.protected_tables p join pg_class c on c.oid = p.oid`
	const known = new Set(records.map((record) => record.oid))
	const asked = records.filter((record) => record.why === 'asked').map((record) => record.oid)
	const closure = await readClosure(sql, asked)
	const grown = new Set(closure.filter((member) => !known.has(member.oid)).map((member) => member.asked))
	const findings: Finding[] = []
	for (const oid of grown) findings.push(...(await protectTable(sql, oid, options)).refusals)
	return findings
}

/** Rows of a dropped table are in no stream: that is a gap, known for ever. */
async function forgetDropped(sql: Sql): Promise<void> {
	await sql.begin(async (tx) => {
		const dropped = await tx<{ schema: string; name: string; root: string | null; since: string | null }[]>`
			with gone as (
				delete from reprieve.protected_tables p where not exists (select from pg_class c where c.oid = p.oid) returning *)
			select g.schema, g.name, g.protected_since::text as since, (
				select json_build_object('schema', r.schema, 'name', r.name) from reprieve.protected_tables r
				where r.oid = g.root_oid)::text as root
			from gone g where g.kind = 'r'`
		for (const { root, since, ...table } of dropped) {
			const owner = root === null ? table : (JSON.parse(root) as TableName)
			const reason = `${formatTableName(table)} was dropped with the rows that it held`
			await recordGap(tx, { table: formatTableName(owner), reason, since })
		}
	})
}
