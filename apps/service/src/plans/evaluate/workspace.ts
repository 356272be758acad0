import { formatTableName, type Policy, ReprieveError, type SourceTable } from '@reprieve/contracts'
import {
	describeTables,
	type IncomingForeignKey,
	readDependents,
	readFamily,
	type Transaction,
} from '@reprieve/postgres'
import { type KeyColumn, keyColumns, numbered } from '../source.ts'

/** A source table of the closure with the temporary table that holds its planned rows: id, leaf, k1..kn, version. */
export type StagedTable = { table: SourceTable; key: KeyColumn[]; stage: string; hasKeeper: boolean }

/** What the phases of an evaluation share. Ids of the policy's own rows are 1 to `matched`, those of dependents higher. */
export type Workspace = {
	sql: Transaction
	/** The policy's own table first. */
	staged: StagedTable[]
	/** Every foreign key that points at a staged table. */
	keys: IncomingForeignKey[]
	/** The staged table of an OID, a leaf's or inheritance child's included; undefined when none of its rows is planned. */
	stageOf(oid: number): StagedTable | undefined
	describe(oid: number): SourceTable | undefined
	/** The rows at the other end are deleted too. */
	forces(key: IncomingForeignKey): boolean
	/** Rows at the other end, unless planned themselves, keep their parent. */
	holds(key: IncomingForeignKey): boolean
	/** Rows at the other end are rewritten. */
	relinks(key: IncomingForeignKey): boolean
}

/** Reads the closure of a table's deletion under a policy from the catalog; makes nothing yet. */
export async function openWorkspace(
	sql: Transaction,
	root: SourceTable,
	policy: Pick<Policy, 'kind' | 'onRestrict'>,
): Promise<Workspace> {
	const includes = policy.onRestrict === 'include'
	const forces = (key: IncomingForeignKey) => key.onDelete === 'cascade' || (includes && keepsParent(key))
	const family = new Set([root.oid, ...(await readFamily(sql, [root.oid]))])
	const keys = await readDependents(sql, [root.oid], forces)
	const described = await describeTables(sql, [...new Set(keys.map((key) => key.child.rootOid))])
	const byOid = new Map(described.map((table) => [table.oid, table]))
	const named = (key: IncomingForeignKey) => (byOid.get(key.child.rootOid)?.key.length ?? 0) > 0
	const reached = keys.filter((key) => forces(key) && named(key) && !family.has(key.child.rootOid))
	const others = [...new Set(reached.map((key) => key.child.rootOid))].map((oid) => byOid.get(oid) as SourceTable)
	const staged = [root, ...others].map((table, index) => ({
		table,
		key: keyColumns(table),
		stage: `pg_temp.plan_rows_${index}`,
		hasKeeper: index === 0 && policy.kind === 'duplicates',
	}))
	return {
		sql,
		staged,
		keys,
		stageOf: (oid) => (family.has(oid) ? staged[0] : staged.find((each) => each.table.oid === oid)),
		describe: (oid) => byOid.get(oid),
		forces: (key) => named(key) && forces(key),
		holds: (key) => !(named(key) && forces(key)) && (keepsParent(key) || !named(key)),
		relinks: (key) => named(key) && !keepsParent(key) && key.onDelete.startsWith('set'),
	}
}

/** A relink that cannot be made keeps the parent as RESTRICT does. */
function keepsParent(key: IncomingForeignKey): boolean {
	return key.onDelete === 'noAction' || key.onDelete === 'restrict' || key.rewriteHolds
}

async function createStage(sql: Transaction, staged: StagedTable): Promise<void> {
	const key = staged.key.map(({ typeName }, index) => `k${index + 1} ${typeName}`)
	const keeper = staged.hasKeeper
		? ['wleaf oid', ...staged.key.map(({ typeName }, index) => `w${index + 1} ${typeName}`)]
		: []
	const columns = ['id bigint', 'leaf oid', ...key, 'version xid', ...keeper]
	await sql.unsafe(`create temp table ${bare(staged.stage)} (${columns.join(', ')},
		primary key (id), unique (leaf, ${numbered(key.length, 'k').join(', ')})) on commit drop`)
}

function bare(name: string): string {
	return name.replace('pg_temp.', '')
}

/** Makes the temporary tables that hold the planned rows, their references and what is left out. */
export async function createStages({ sql, staged }: Workspace): Promise<void> {
	for (const table of staged) await createStage(sql, table)
	await sql.unsafe(
		'create temp table plan_edges (child bigint, parent bigint, forcing boolean, holding boolean) on commit drop',
	)
	await sql.unsafe('create index on pg_temp.plan_edges (child)')
	await sql.unsafe('create index on pg_temp.plan_edges (parent)')
	await sql.unsafe('create temp table plan_held (id bigint primary key) on commit drop')
	await sql.unsafe('create temp sequence plan_ids owned by pg_temp.plan_held.id')
}

/** The highest id given so far. */
export async function highestId(sql: Transaction): Promise<number> {
	const [row] = await sql.unsafe<{ id: string }[]>(
		'select case when is_called then last_value else 0 end::text as id from pg_temp.plan_ids',
	)
	return Number(row?.id)
}

/** Throws LIMIT_EXCEEDED with both numbers. */
export function refuseTooMany(table: SourceTable, rows: number, limit: number, what: string): void {
	if (rows <= limit) return
	throw new ReprieveError(
		'LIMIT_EXCEEDED',
		`the plan for ${formatTableName(table)} ${what} ${rows} rows, the limit is ${limit}`,
		{ hint: 'Narrow the policy with "where", or raise the limit of rows per plan.' },
	)
}
