import { formatTableName, ReprieveError, type SourceTable } from '@reprieve/contracts'
import type { IncomingForeignKey } from '@reprieve/postgres'
import { type KeyColumn, keyColumns, keyOf, numbered } from '../source.ts'
import { endsOf, type Filled, isUnplanned } from './follow.ts'
import { joinReferencing } from './reference.ts'
import type { Workspace } from './workspace.ts'

/** Rows of one table that SET NULL / SET DEFAULT rewrites: one entry per row and foreign key (`fk`, index in `keys`). */
export type RelinkedTable = { table: SourceTable; key: KeyColumn[]; stage: string; keys: IncomingForeignKey[] }

/** One way in which rows of a table are rewritten: by these foreign keys together. */
export type Relink = {
	from: RelinkedTable
	fks: string
	action: 'setNull' | 'setDefault'
	rewrites: string[]
	name: string
}

/** Collects the unplanned rows whose reference to a planned row is rewritten when that goes. */
export async function collectRelinks(work: Workspace, filled: Filled): Promise<RelinkedTable[]> {
	const reached = work.keys.filter((key) => work.relinks(key) && filled.has(endsOf(work, key).parent?.stage ?? ''))
	const byTable = Map.groupBy(reached, (key) => key.child.rootOid)
	const tables: RelinkedTable[] = []
	for (const [oid, keys] of byTable) {
		// Rows of an inheritance child may be planned with its parent, which does not have all its columns.
		const table = work.describe(oid) ?? work.stageOf(oid)?.table
		if (!table) continue
		const relinked = { table, keys, key: keyColumns(table), stage: `pg_temp.plan_relinks_${tables.length}` }
		await createStage(work, relinked, tables.length)
		for (const [index, key] of keys.entries()) await insertRelinks(work, relinked, { key, index, filled })
		await work.sql.unsafe(`analyze ${relinked.stage}`)
		tables.push(relinked)
	}
	return tables
}

async function createStage(work: Workspace, relinked: RelinkedTable, index: number): Promise<void> {
	const key = relinked.key.map(({ typeName }, place) => `k${place + 1} ${typeName}`)
	await work.sql.unsafe(`create temp table plan_relinks_${index}
		(leaf oid, ${key.join(', ')}, version xid, fk int, parent bigint) on commit drop`)
}

async function insertRelinks(
	work: Workspace,
	relinked: RelinkedTable,
	{ key, index, filled }: { key: IncomingForeignKey; index: number; filled: Filled },
): Promise<void> {
	const { parent } = endsOf(work, key)
	if (!parent) return
	const { from, where } = joinReferencing(key, parent)
	await work.sql.unsafe(`
		insert into ${relinked.stage} (leaf, ${numbered(relinked.key.length, 'k').join(', ')}, version, fk, parent)
		select c.tableoid, ${keyOf(relinked.table, 'c').join(', ')}, c.xmin, ${index}, s.id from ${from}
		where ${where} ${isUnplanned(work, key, filled)}`)
}

/** The distinct ways in which rows are rewritten. Throws CONFLICT where one row would be set to null and to a default. */
export async function listRelinks(work: Workspace, tables: RelinkedTable[]): Promise<Relink[]> {
	const relinks: Relink[] = []
	for (const from of tables) {
		const rows = await work.sql.unsafe<{ fks: string }[]>(`
			select distinct fks::text as fks from (
				select array_agg(distinct fk order by fk) as fks from ${from.stage} group by ${rowKey(from)}) grouped order by 1`)
		relinks.push(...rows.map(({ fks }) => toRelink(from, fks)))
	}
	return relinks
}

/** The columns that name a relinked row. */
export function rowKey(from: RelinkedTable): string {
	return ['leaf', ...numbered(from.key.length, 'k')].join(', ')
}

function toRelink(from: RelinkedTable, fks: string): Relink {
	const keys = fks
		.slice(1, -1)
		.split(',')
		.map((index) => from.keys[Number(index)] as IncomingForeignKey)
	const [first] = keys as [IncomingForeignKey]
	const other = keys.find((key) => key.onDelete !== first.onDelete)
	if (other) {
		throw new ReprieveError(
			'CONFLICT',
			`rows of ${formatTableName(from.table)} would be set to null by ${first.name} and to a default by ${other.name}`,
			{ hint: 'Plan the parents of the two foreign keys apart.' },
		)
	}
	return {
		from,
		fks,
		action: first.onDelete === 'setNull' ? 'setNull' : 'setDefault',
		rewrites: [...new Set(keys.flatMap((key) => key.rewrites))],
		name: keys.map((key) => key.name).join(', '),
	}
}
