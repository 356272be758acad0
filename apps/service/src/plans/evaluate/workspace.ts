import { formatTableName, type Policy, ReprieveError, type SourceTable } from '@reprieve/contracts'
import {
	arrayLiteral,
	describeTables,
	type IncomingForeignKey,
	readDependents,
	readFamily,
	type Transaction,
} from '@reprieve/postgres'
import { type KeyColumn, keyColumns, numbered, scanOwn } from '../source.ts'

/** A source table of the closure with the temporary table that holds its planned rows: id, leaf, k1..kn, version. */
export type StagedTable = { table: SourceTable; key: KeyColumn[]; stage: string; hasKeeper: boolean }

/** What the phases of an evaluation share. Ids of the policy's own rows are 1 to `matched`, those of dependents higher. */
export type Workspace = {
	sql: Transaction
	/** The policy's own table first. */
	staged: StagedTable[]
	/** Every foreign key by which a row of another table, or of the same, may depend on one of a staged table. */
	keys: IncomingForeignKey[]
	/** Whether the policy's own table is neither partitioned, nor a partition, nor has inheritance children. */
	isOneLeaf: boolean
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
	const keys = await withRows(sql, family, await readDependents(sql, [root.oid], forces), forces)
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
		isOneLeaf: root.kind === 'r' && family.size === 1,
		stageOf: (oid) => (family.has(oid) ? staged[0] : staged.find((each) => each.table.oid === oid)),
		describe: (oid) => byOid.get(oid),
		forces: (key) => named(key) && forces(key),
		holds: (key) => !(named(key) && forces(key)) && (keepsParent(key) || !named(key)),
		relinks: (key) => named(key) && !keepsParent(key) && key.onDelete.startsWith('set'),
	}
}

/**
 * The keys from whose other end a row may point at one that goes: of the hundreds of tables of a catalog's closure, many are
 * empty, and what lies behind an empty one is reached by none. True for as long as the transaction's snapshot.
 */
async function withRows(
	sql: Transaction,
	family: ReadonlySet<number>,
	keys: IncomingForeignKey[],
	forces: (key: IncomingForeignKey) => boolean,
): Promise<IncomingForeignKey[]> {
	const filled = await readFilled(sql, keys)
	const reached = new Set(family)
	for (let before = 0; reached.size > before; ) {
		before = reached.size
		for (const key of keys) {
			if (reached.has(key.parent.rootOid) && filled.has(key.child.oid) && forces(key)) reached.add(key.child.rootOid)
		}
	}
	return keys.filter((key) => reached.has(key.parent.rootOid) && filled.has(key.child.oid))
}

/** OIDs of the referencing tables that hold rows, those that the role may not read among them: who needs them is refused later. */
async function readFilled(sql: Transaction, keys: IncomingForeignKey[]): Promise<Set<number>> {
	const children = new Map(keys.map(({ child }) => [child.oid, child]))
	const readable = await sql.unsafe<{ oid: number }[]>(
		`select c.oid::int8::float8 as oid from pg_class c
		where c.oid = any($1::oid[]) and has_schema_privilege(c.relnamespace, 'USAGE')
			and has_any_column_privilege(c.oid, 'SELECT') and not row_security_active(c.oid)`,
		[arrayLiteral([...children.keys()])],
	)
	const queries = readable.flatMap(({ oid }) => {
		const child = children.get(Number(oid))
		return child
			? [`select ${child.oid}::int8::float8 as oid where not exists (select from ${scanOwn(child, 'c')})`]
			: []
	})
	const empty = queries.length > 0 ? await sql.unsafe<{ oid: number }[]>(queries.join(' union all ')) : []
	return new Set(children.keys()).difference(new Set(empty.map(({ oid }) => Number(oid))))
}

/** A relink that cannot be made keeps the parent as RESTRICT does. */
function keepsParent(key: IncomingForeignKey): boolean {
	return key.onDelete === 'noAction' || key.onDelete === 'restrict' || key.rewriteHolds
}

function stageStatement(staged: StagedTable): string {
	const key = staged.key.map(({ typeName }, index) => `k${index + 1} ${typeName}`)
	const keeper = staged.hasKeeper
		? ['wleaf oid', ...staged.key.map(({ typeName }, index) => `w${index + 1} ${typeName}`)]
		: []
	const columns = ['id bigint', 'leaf oid', ...key, 'version xid', ...keeper]
	return `create temp table if not exists ${bare(staged.stage)} (${columns.join(', ')},
		primary key (id), unique (leaf, ${numbered(key.length, 'k').join(', ')})) on commit drop`
}

function bare(name: string): string {
	return name.replace('pg_temp.', '')
}

/** Makes the stages of tables, where there are none yet. */
export async function createStages(sql: Transaction, tables: StagedTable[]): Promise<void> {
	if (tables.length > 0) await sql.unsafe(tables.map(stageStatement).join(';'))
}

/** Makes the temporary tables that hold the policy's own rows, the references of rows and what is left out. */
export async function createWorkspace({ sql, staged }: Workspace): Promise<void> {
	await createStages(sql, staged.slice(0, 1))
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
