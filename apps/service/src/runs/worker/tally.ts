import type { RowCounts } from '@reprieve/contracts'
import { arrayLiteral, type Transaction } from '@reprieve/postgres'
import type { LeafCount } from './delete-rows.ts'
import { BatchFinding } from './finding.ts'
import { type RunShape, readRoots } from './shape.ts'

/** What the server has counted in this transaction, by relation: rows deleted and rows updated. */
export type ServerCounts = Map<number, { deleted: number; updated: number }>

/**
 * Reads what `pg_stat_xact_user_tables` shows, without the join of all indexes behind that view. Only differences mean
 * anything: it may still hold an earlier transaction's counts.
 */
export async function readServerCounts(tx: Transaction): Promise<ServerCounts> {
	const rows = await tx<{ oid: string; deleted: string; updated: string }[]>`
		select c.oid::int8 as oid, pg_stat_get_xact_tuples_deleted(c.oid) as deleted, pg_stat_get_xact_tuples_updated(c.oid) as updated
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
			and (pg_stat_get_xact_tuples_deleted(c.oid) > 0 or pg_stat_get_xact_tuples_updated(c.oid) > 0)`
	return new Map(rows.map((row) => [Number(row.oid), { deleted: Number(row.deleted), updated: Number(row.updated) }]))
}

/** Rows of one batch per root, as its seal says them. */
export type Tally = { rows: RowCounts; collateral: RowCounts; collateralOids: number[] }

/**
 * Folds what the statement returned to roots and compares it with what the server counted. Deletions beyond it are
 * collateral in tables that are protected and ready. Throws {@link BatchFinding} for every other difference.
 */
export async function tallyBatch(
	tx: Transaction,
	shape: RunShape,
	counted: { returned: LeafCount[]; before: ServerCounts; after: ServerCounts },
): Promise<Tally> {
	const extra = compareCounts(shape, counted)
	if (extra[0] && !shape.hasTriggers) throw unexplained(extra[0])
	const oids = [...counted.returned.map((count) => count.leaf), ...extra.map((row) => row.leaf)]
	const roots = await readRoots(tx, [...new Set(oids)])
	const ready = await readReady(tx, [...new Set(extra.map((row) => row.leaf))])
	const tally: Tally = { rows: {}, collateral: {}, collateralOids: [] }
	for (const { leaf, rows, table } of counted.returned) {
		const kind = shape.tables[table]?.planned.action === 'delete' ? 'deleted' : 'relinked'
		add(tally.rows, rootOf(roots, leaf).table, kind, rows)
	}
	for (const { leaf, rows } of extra) {
		const root = rootOf(roots, leaf)
		if (!ready.has(leaf)) throw unprotected(root.table, rows)
		add(tally.collateral, root.table, 'deleted', rows)
		tally.collateralOids.push(root.oid)
	}
	return tally
}

/** Deletions that the statement did not return, by leaf. Throws when a count is short or a relinked table differs. */
function compareCounts(
	shape: Pick<RunShape, 'tables'>,
	counted: { returned: LeafCount[]; before: ServerCounts; after: ServerCounts },
): { leaf: number; rows: number }[] {
	const actionOf = (count: LeafCount) => shape.tables[count.table]?.planned.action
	const deleted = sumByLeaf(counted.returned.filter((count) => actionOf(count) === 'delete'))
	const relinked = sumByLeaf(counted.returned.filter((count) => actionOf(count) !== 'delete'))
	for (const [leaf, rows] of relinked) {
		const updated = difference(counted, leaf, 'updated')
		if (updated !== rows) throw unequal('relinked', leaf, rows, updated)
	}
	const extra: { leaf: number; rows: number }[] = []
	for (const leaf of new Set([...deleted.keys(), ...counted.after.keys()])) {
		const [ours, server] = [deleted.get(leaf) ?? 0, difference(counted, leaf, 'deleted')]
		if (server < ours) throw unequal('deleted', leaf, ours, server)
		if (server > ours) extra.push({ leaf, rows: server - ours })
	}
	return extra
}

function difference(
	counted: { before: ServerCounts; after: ServerCounts },
	leaf: number,
	kind: 'deleted' | 'updated',
): number {
	return (counted.after.get(leaf)?.[kind] ?? 0) - (counted.before.get(leaf)?.[kind] ?? 0)
}

function sumByLeaf(counts: LeafCount[]): Map<number, number> {
	const sums = new Map<number, number>()
	for (const { leaf, rows } of counts) sums.set(leaf, (sums.get(leaf) ?? 0) + rows)
	return sums
}

function add(counts: RowCounts, table: string, kind: 'deleted' | 'relinked', rows: number): void {
	const entry = counts[table] ?? { deleted: 0, relinked: 0 }
	counts[table] = { ...entry, [kind]: entry[kind] + rows }
}

function rootOf(roots: Map<number, { oid: number; table: string }>, leaf: number): { oid: number; table: string } {
	return roots.get(leaf) ?? { oid: leaf, table: `OID ${leaf}` }
}

async function readReady(tx: Transaction, oids: number[]): Promise<Set<number>> {
	if (oids.length === 0) return new Set()
	const rows = await tx<{ oid: string }[]>`
		select oid from reprieve.protected_tables where oid = any(${arrayLiteral(oids)}::int8[]) and status = 'ready'`
	return new Set(rows.map((row) => Number(row.oid)))
}

function unequal(what: string, leaf: number, ours: number, server: number): BatchFinding {
	return new BatchFinding(
		'NOT_RESTORABLE',
		`the statement returned ${ours} ${what} rows of table OID ${leaf}, the server counted ${server}`,
		{
			hint: 'A trigger or rule changes what the statement does; look at the triggers of the tables in the plan.',
		},
	)
}

function unexplained({ leaf, rows }: { leaf: number; rows: number }): BatchFinding {
	return new BatchFinding(
		'PLAN_DRIFTED',
		`the server deleted ${rows} more rows of table OID ${leaf} than planned, and no trigger hangs on the plan's tables`,
		{ hint: 'Make a new plan; report this if it happens again.' },
	)
}

function unprotected(table: string, rows: number): BatchFinding {
	return new BatchFinding('NOT_RESTORABLE', `a trigger deleted ${rows} rows of ${table}, which is not protected`, {
		hint: `Protect ${table}, or disable the trigger that deletes its rows.`,
	})
}
