import { formatTableName, type SourceTable } from '@reprieve/contracts'
import type { PlannedTable } from '@reprieve/control'
import type { Transaction } from '@reprieve/postgres'
import type { KeyColumn } from '../source.ts'
import type { Filled } from './follow.ts'
import { storedColumns } from './match.ts'
import { type Relink, rowKey } from './relink.ts'
import type { StagedTable, Workspace } from './workspace.ts'

/** Stored without the collation of the column that they come from: one in use could not be dropped. */
const collatedTypes = /^(text|character varying|character|bpchar|name)(\[\])?$/

type Rows = { table: SourceTable; key: KeyColumn[]; hasKeeper: boolean }

/**
 * Writes every staged table's rows by unit, then the relinks: one rows table per table and way of rewriting. The first
 * holds the policy's own rows alone, since the witness is theirs; dependents in the same source table have another.
 */
export async function writeClosure(
	work: Workspace,
	relinks: Relink[],
	options: { prefix: string; matched: number; filled: Filled },
): Promise<PlannedTable[]> {
	const tables: PlannedTable[] = []
	for (const { staged, ids } of ownRowsApart(work, options.matched)) {
		if (!options.filled.has(staged.stage)) continue
		const name = `${options.prefix}_${tables.length}`
		const rows = await writeStaged(work, { staged, ids, name })
		const foreignKey = work.keys.find(
			(key) => work.forces(key) && work.stageOf(key.child.rootOid)?.stage === staged.stage,
		)?.name
		const isOwn = tables.length === 0
		if (rows === 0 && !isOwn) await work.sql.unsafe(`drop table reprieve.${name}`)
		else
			tables.push(
				planned(staged.table, staged.key, {
					name,
					rows,
					action: 'delete',
					rewrites: [],
					foreignKey: isOwn ? undefined : foreignKey,
				}),
			)
	}
	for (const relink of relinks) {
		const name = `${options.prefix}_${tables.length}`
		const rows = await writeRelink(work, relink, name)
		const { action, rewrites, name: foreignKey } = relink
		tables.push(planned(relink.from.table, relink.from.key, { name, rows, action, rewrites, foreignKey }))
	}
	return tables
}

type IdRange = { from: number; to: number | null }
type StagedRows = { staged: StagedTable; ids: IdRange }

function ownRowsApart(work: Workspace, matched: number): StagedRows[] {
	const [root, ...others] = work.staged as [StagedTable, ...StagedTable[]]
	const rest = [{ ...root, hasKeeper: false }, ...others].map((staged) => ({
		staged,
		ids: { from: matched, to: null },
	}))
	return [{ staged: root, ids: { from: 0, to: matched } }, ...rest]
}

async function writeStaged(work: Workspace, { staged, ids, name }: StagedRows & { name: string }): Promise<number> {
	await createRows(work.sql, name, staged)
	const names = storedColumns(staged.key.length, staged.hasKeeper)
	const within = `s.id > ${ids.from}${ids.to === null ? '' : ` and s.id <= ${ids.to}`}`
	const written = await work.sql.unsafe(`
		insert into reprieve.${name} (unit, n, ${names.join(', ')})
		select u.unit, row_number() over (partition by u.unit order by s.id), ${storedValues(staged, 's').join(', ')}
		from ${staged.stage} s join pg_temp.plan_units u on u.id = s.id where ${within} order by 1, 2`)
	await finishRows(work.sql, name)
	return written.count
}

async function writeRelink(work: Workspace, relink: Relink, name: string): Promise<number> {
	const rows = { ...relink.from, hasKeeper: false }
	await createRows(work.sql, name, rows)
	const key = rowKey(relink.from)
	const written = await work.sql.unsafe(
		`insert into reprieve.${name} (unit, n, ${storedColumns(rows.key.length, false).join(', ')})
		select g.unit, row_number() over (partition by g.unit order by ${key}), ${storedValues(rows, 'g').join(', ')}
		from (select min(u.unit) as unit, ${key}, min(r.version::text)::xid as version
			from ${relink.from.stage} r join pg_temp.plan_units u on u.id = r.parent
			group by ${key} having array_agg(distinct r.fk order by r.fk) = $1::text::int[]) g order by 1, 2`,
		[relink.fks],
	)
	await finishRows(work.sql, name)
	return written.count
}

/** Columns of types that are not PostgreSQL's own are stored as text: a type in use could not be dropped. */
async function createRows(sql: Transaction, name: string, rows: Rows): Promise<void> {
	const key = rows.key.map(({ storedType }, index) => `k${index + 1} ${storedType} not null`)
	const keeper = rows.hasKeeper
		? ['wleaf oid', ...rows.key.map(({ storedType }, index) => `w${index + 1} ${storedType}`)]
		: []
	const columns = [
		'unit bigint not null',
		'n int not null',
		'leaf oid not null',
		...key,
		'version xid not null',
		...keeper,
	]
	await sql.unsafe(`create table reprieve.${name} (${columns.join(', ')})`)
}

async function finishRows(sql: Transaction, name: string): Promise<void> {
	await sql.unsafe(`alter table reprieve.${name} add primary key (unit, n)`)
	await sql.unsafe(`analyze reprieve.${name}`)
}

/** What is stored of a row `alias`, in the order of the stored columns. */
export function storedValues(rows: Rows, alias: string): string[] {
	const cast = (prefix: string) =>
		rows.key.map(({ storedType }, index) => {
			const value = `${alias}.${prefix}${index + 1}::${storedType}`
			return collatedTypes.test(storedType) ? `${value} collate "default"` : value
		})
	const keeper = rows.hasKeeper ? [`${alias}.wleaf`, ...cast('w')] : []
	return [`${alias}.leaf`, ...cast('k'), `${alias}.version`, ...keeper]
}

/** What a plan keeps of a table whose rows were written. */
export function planned(
	table: SourceTable,
	key: KeyColumn[],
	rest: Pick<PlannedTable, 'action' | 'rewrites' | 'rows' | 'foreignKey' | 'packed'> & { name: string },
): PlannedTable {
	const { name, ...fields } = rest
	return {
		oid: table.oid,
		table: formatTableName(table),
		rowsTable: name,
		key: key.map(({ column, typeName }) => ({ column, typeName })),
		...fields,
	}
}
