import { quoteIdentifier, quoteTable } from '@reprieve/contracts'
import { arrayLiteral, type IncomingForeignKey, type Transaction } from '@reprieve/postgres'
import type { RunShape, TableShape } from './shape.ts'

/** Consecutive units of one batch, both inclusive. */
export type UnitRange = { from: number; to: number }

/** The range, as every statement here takes it. */
const inRange = { from: '$1::int8', to: '$2::int8' }

/** A planned row that is not deleted; `table` is its index in the plan's body. */
export type DriftedRow = { table: number; unit: number; n: number; why: DriftReason }
type DriftReason =
	| 'changed'
	| 'gone'
	| 'keeperGone'
	| 'keeperChanged'
	| 'parentCame'
	| 'newDependent'
	| 'dependentDrifted'

/**
 * Locks the batch's planned rows, then their witnesses, each in key order. What is locked keeps its version until the
 * transaction ends. Statements are sent ahead of the answers: there is one for each of what may be hundreds of tables.
 */
export async function lockRows(tx: Transaction, shape: RunShape, range: UnitRange): Promise<void> {
	const statements = shape.tables.map((table) =>
		tx.unsafe(
			`select count(*) from (
				select from ${table.source} t join ${table.rows(inRange)} p on ${table.match('t', 'p')} and t.xmin = p.version
				where p.unit between $1::int8 and $2::int8 order by ${orderBy(table, 't')} for update of t) held`,
			[range.from, range.to],
		),
	)
	await Promise.all(statements)
	if (shape.body.witness.kind === 'keeper') await lockKeepers(tx, shape.tables[0] as TableShape, range)
}

async function lockKeepers(tx: Transaction, table: TableShape, range: UnitRange): Promise<void> {
	await tx.unsafe(
		`select count(*) from (
			select from ${table.source} t join ${table.rows(inRange)} p on ${table.matchKeeper('t', 'p')}
			where p.unit between $1::int8 and $2::int8 order by ${orderBy(table, 't')} for share of t) held`,
		[range.from, range.to],
	)
}

function orderBy(table: TableShape, alias: string): string {
	return table.key.map((column) => `${alias}.${column}`).join(', ')
}

/**
 * Rows that must stay, each with its own reason; called after {@link lockRows}, so that its statements see what the
 * locks waited for. Other rows of their units stay too.
 */
export async function findDrift(tx: Transaction, shape: RunShape, range: UnitRange): Promise<DriftedRow[]> {
	const queries = [
		...shape.tables.map((_, table) => versionQuery(shape, table)),
		...witnessQueries(shape),
		...shape.tables.flatMap((_, table) => dependentQueries(shape, table)),
	]
	const drifted = (await tx.unsafe(queries.join('\nunion all\n'), [range.from, range.to])) as unknown as DriftedRow[]
	return await spread(tx, shape, range, oncePerRow(drifted))
}

/** The units that hold drifted rows. */
export function droppedUnits(drifted: readonly DriftedRow[]): number[] {
	return [...new Set(drifted.map((row) => row.unit))].sort((a, b) => a - b)
}

function oncePerRow(drifted: readonly DriftedRow[]): DriftedRow[] {
	const rows = new Map<string, DriftedRow>()
	for (const row of drifted) {
		const key = `${row.table}/${row.unit}/${row.n}`
		if (!rows.has(key)) rows.set(key, { ...row, unit: Number(row.unit) })
	}
	return [...rows.values()]
}

function versionQuery(shape: RunShape, index: number): string {
	const table = shape.tables[index] as TableShape
	return `select ${index} as "table", p.unit, p.n,
			case when exists (select from ${table.source} t where ${table.match('t', 'p')}) then 'changed' else 'gone' end as why
		from ${table.rows(inRange)} p
		where p.unit between $1::int8 and $2::int8
			and not exists (select from ${table.source} t where ${table.match('t', 'p')} and t.xmin = p.version)`
}

function witnessQueries(shape: RunShape): string[] {
	const table = shape.tables[0] as TableShape
	const { witness } = shape.body
	if (witness.kind === 'none') return []
	if (witness.kind === 'keeper') return [keeperQuery(table, witness.expressions)]
	// A parent table that was dropped cannot come back under its OID.
	if (!shape.parentCame) return []
	return [
		`select 0, p.unit, p.n, 'parentCame' from ${table.rows(inRange)} p
		join ${table.source} t on ${table.match('t', 'p')} and t.xmin = p.version
		where p.unit between $1::int8 and $2::int8 and ${shape.parentCame}`,
	]
}

/** A dependent in the policy's own table has no keeper. Compares records, not columns: that takes each type's own equality, wherever its operator lies. */
function keeperQuery(table: TableShape, expressions: string[]): string {
	const image = `row(${expressions.join(', ')})`
	return `select 0, p.unit, p.n, case when keeper.found then 'keeperChanged' else 'keeperGone' end from ${table.rows(inRange)} p
		cross join lateral (select ${image} as image from ${table.source} t
			where ${table.match('t', 'p')} and t.xmin = p.version) victim
		left join lateral (select ${image} as image, true as found from ${table.source} t
			where ${table.matchKeeper('t', 'p')}) keeper on true
		where p.unit between $1::int8 and $2::int8 and p.wleaf is not null and (victim.image = keeper.image) is not true`
}

/** Planned parents that a row refers to which is not planned in this batch at its version. */
function dependentQueries(shape: RunShape, index: number): string[] {
	const table = shape.tables[index] as TableShape
	if (table.planned.action !== 'delete') return []
	return incomingOf(shape, table).map((key) => {
		const planned = plannedChildren(shape, key)
		const covered = planned.map(
			(child) => `and not exists (select from ${child.rows(inRange)} q
				where ${child.match('c', 'q')} and c.xmin = q.version and q.unit between $1::int8 and $2::int8)`,
		)
		const once = planned.map((child) => `exists (select from ${child.rows()} q where ${child.match('c', 'q')})`)
		const why =
			once.length > 0
				? `case when ${once.join(' or ')} then 'dependentDrifted' else 'newDependent' end`
				: `'newDependent'`
		return `select ${index}, p.unit, p.n, ${why} from ${table.rows(inRange)} p
			join ${parentOf(key, table)} t on ${table.match('t', 'p')} and t.xmin = p.version
			join ${childOf(key)} c on ${refers(key, 'c', 't')}
			where p.unit between $1::int8 and $2::int8 and ${within(key)} ${covered.join(' ')}`
	})
}

/** Incoming keys that bind rows of a planned table: its own, its partitions' and its inheritance children's. */
function incomingOf(shape: RunShape, table: TableShape): IncomingForeignKey[] {
	const others = new Set(shape.oids)
	others.delete(table.planned.oid)
	const family = shape.families.get(table.planned.oid)
	return shape.incoming.filter(
		({ parent }) =>
			parent.rootOid === table.planned.oid || (!others.has(parent.rootOid) && family?.has(parent.oid) === true),
	)
}

/** The table whose rows a key binds: an inheritance child may have columns that the planned table has not. */
function parentOf({ parent }: IncomingForeignKey, table: TableShape): string {
	return parent.rootOid === table.planned.oid ? table.source : `only ${quoteTable(parent)}`
}

/** A key binds the rows of the leaves that it speaks of, not those of inheritance children. */
function within(key: IncomingForeignKey): string {
	return `p.leaf = any('${arrayLiteral(key.parent.leaves)}'::oid[])`
}

/** The referring table; without its inheritance children, which the key does not bind. */
function childOf({ child }: IncomingForeignKey): string {
	return `${child.kind === 'p' ? '' : 'only '}${quoteTable(child)}`
}

/** Condition that row `child` refers to row `parent`, by the very operators of the constraint. */
function refers(key: IncomingForeignKey, child: string, parent: string): string {
	return key.parent.columns
		.map((column, place) => {
			const referring = quoteIdentifier(key.child.columns[place] ?? '')
			return `${parent}.${quoteIdentifier(column)} ${key.operators[place]} ${child}.${referring}`
		})
		.join(' and ')
}

/**
 * Planned tables that take care of a child of this key: deleted rows always, those of an inheritance child may be planned
 * with its parent; relinked ones where its columns change.
 */
function plannedChildren(shape: RunShape, key: IncomingForeignKey): TableShape[] {
	return shape.tables.filter(({ planned }) => {
		const isOwn = planned.oid === key.child.rootOid
		if (planned.action === 'delete') return isOwn || shape.families.get(planned.oid)?.has(key.child.oid) === true
		if (!isOwn || planned.action !== key.onDelete) return false
		return key.rewrites.every((column) => planned.rewrites.includes(column))
	})
}

/** Adds parents whose planned children stay because the children's units do, until nothing more is found. */
async function spread(
	tx: Transaction,
	shape: RunShape,
	range: UnitRange,
	drifted: DriftedRow[],
): Promise<DriftedRow[]> {
	const queries = shape.tables.flatMap((_, table) => spreadQueries(shape, table))
	if (drifted.length === 0 || queries.length === 0) return drifted
	let all = drifted
	for (;;) {
		const units = arrayLiteral(droppedUnits(all))
		const found = (await tx.unsafe(queries.join('\nunion all\n'), [
			range.from,
			range.to,
			units,
		])) as unknown as DriftedRow[]
		if (found.length === 0) return all
		all = oncePerRow([...all, ...found])
	}
}

function spreadQueries(shape: RunShape, index: number): string[] {
	const table = shape.tables[index] as TableShape
	if (table.planned.action !== 'delete') return []
	return incomingOf(shape, table).flatMap((key) =>
		plannedChildren(shape, key).map(
			(
				child,
			) => `select distinct ${index} as "table", p.unit, p.n, 'dependentDrifted' as why from ${table.rows(inRange)} p
			join ${parentOf(key, table)} t on ${table.match('t', 'p')} and t.xmin = p.version
			join ${childOf(key)} c on ${refers(key, 'c', 't')}
			join ${child.rows()} q on ${child.match('c', 'q')}
			where p.unit between $1::int8 and $2::int8 and ${within(key)}
				and p.unit <> all($3::int8[]) and q.unit = any($3::int8[])`,
		),
	)
}
