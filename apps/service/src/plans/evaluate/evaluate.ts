import {
	formatTableName,
	type Policy,
	quoteTable,
	ReprieveError,
	type Row,
	type SourceTable,
} from '@reprieve/contracts'
import type { PlanBody, PlannedTable } from '@reprieve/control'
import { closureHash, readColumnNumbers, readIncoming, type Transaction } from '@reprieve/postgres'
import type { Candidates } from '../candidates/candidates.ts'
import { compileCandidates } from '../candidates/compile.ts'
import { scanRows } from '../scan-rows.ts'
import { findPolicyTable, keyColumns } from '../source.ts'
import { settleClosure } from './hold.ts'
import { matchRows } from './match.ts'
import { estimate, type MeasuredTable, readSample } from './measure.ts'
import { numberUnits } from './order.ts'
import { writeMatches } from './pack.ts'
import { collectRelinks, listRelinks } from './relink.ts'
import { refuseLongRows } from './weigh.ts'
import { createWorkspace, openWorkspace, type Workspace } from './workspace.ts'
import { writeClosure } from './write.ts'

export type Evaluation = {
	body: PlanBody
	/** Rows of the policy's own that are planned. */
	rows: number
	/** All planned rows. */
	total: number
	blocked: number
	dependents: { table: string; action: PlannedTable['action']; rows: number }[]
	sample: Row[]
	estimate: { seconds: number; bytes: number }
}

type Written = { tables: PlannedTable[]; rows: number; blocked: number; units: number }

/**
 * Evaluates a policy in the transaction's one snapshot (REPEATABLE READ) into the per-plan tables `reprieve.<prefix>_0`
 * and on. Rows never pass through this process, the sample apart. Throws INVALID, NOT_FOUND, CONFLICT or LIMIT_EXCEEDED.
 */
export async function evaluatePolicy(
	sql: Transaction,
	policy: Policy,
	options: { prefix: string; limit: number },
): Promise<Evaluation> {
	await sql.unsafe(`set local work_mem = '64MB'`)
	await sql.unsafe('set local jit = off')
	// Workers sort duplicates, and few columns of a row go on from them: the default stands for whole rows. Where rows are
	// only filtered it is right: to hand many on costs more than workers save.
	if (policy.kind === 'duplicates') await sql.unsafe('set local parallel_tuple_cost = 0.01')
	const { scanned, root } = await findPolicyTable(sql, policy.table)
	const incoming = await readIncoming(sql, [root.oid])
	const work = await openWorkspace(sql, root, policy)
	// An inheritance child that is attached meanwhile must not be scanned where each row's leaf is left out.
	const scan = `${work.isOneLeaf ? 'only ' : ''}${quoteTable(scanned)}`
	await holdNamed(sql, scanned)
	const candidates = await compileCandidates(policy, { sql, table: scanned, scan, key: root.key, incoming })
	const written =
		work.keys.length === 0
			? await writeAlone(work, candidates, options)
			: await writeWithDependents(work, candidates, { ...options, policy })
	return describeWritten(work, candidates, written)
}

/**
 * A statement takes the table that has a name by now, the snapshot's catalog the one that had it: of tables that were swapped, rows of
 * one would be planned as rows of the other. Held, the name stays.
 */
async function holdNamed(sql: Transaction, table: SourceTable): Promise<void> {
	const name = quoteTable(table)
	await sql.unsafe(`lock table only ${name} in access share mode`)
	const [row] = await sql<{ same: boolean }[]>`select to_regclass(${name}::text)::oid = ${table.oid}::int8::oid as same`
	if (row?.same) return
	throw new ReprieveError('CONFLICT', `${formatTableName(table)} is another table by now`, {
		hint: 'It was renamed while the plan was made. Make the plan again.',
	})
}

async function writeAlone(
	work: Workspace,
	candidates: Candidates,
	options: { prefix: string; limit: number },
): Promise<Written> {
	const tables = await writeMatches(work, candidates, options)
	const rows = tables[0]?.rows ?? 0
	return { tables, rows, units: rows, blocked: 0 }
}

async function writeWithDependents(
	work: Workspace,
	candidates: Candidates,
	options: { prefix: string; limit: number; policy: Policy },
): Promise<Written> {
	await createWorkspace(work)
	const matched = await matchRows(work, candidates, options.limit)
	const { blocked, filled } = await settleClosure(work, options.policy, { matched, rows: options.limit })
	const relinked = await collectRelinks(work, filled)
	const relinks = await listRelinks(work, relinked)
	const units = await numberUnits(work, matched, relinked)
	const tables = await writeClosure(work, relinks, { prefix: options.prefix, matched, filled })
	return { tables, rows: matched - blocked, blocked, units }
}

async function describeWritten(work: Workspace, candidates: Candidates, written: Written): Promise<Evaluation> {
	const { sql } = work
	const { tables, rows, blocked, units } = written
	const oids = [...new Set(tables.map((table) => table.oid))]
	const measured = tables.map((planned) => measure(work, planned))
	await refuseLongRows(sql, measured)
	const body: PlanBody = {
		tables,
		witness: candidates.witness,
		closureHash: await closureHash(sql, oids),
		units,
		largestUnit: work.keys.length === 0 ? Math.min(rows, 1) : await readLargestUnit(work, tables),
		columns: await readColumnNumbers(sql, [...oids, ...witnessOids(candidates)]),
	}
	return {
		body,
		rows,
		total: tables.reduce((sum, table) => sum + table.rows, 0),
		blocked,
		dependents: listDependents(tables),
		sample: measured[0] ? await readSample(sql, measured[0]) : [],
		estimate: await estimate(sql, measured),
	}
}

function witnessOids({ witness }: Candidates): number[] {
	return witness.kind === 'absentParent' ? [witness.oid] : []
}

function measure(work: Workspace, planned: PlannedTable): MeasuredTable {
	const staged = work.staged.find((each) => each.table.oid === planned.oid)
	const table = staged?.table ?? work.describe(planned.oid)
	if (!table) throw new Error(`${planned.table} was planned but not described`)
	return { planned, table, key: staged?.key ?? keyColumns(table) }
}

async function readLargestUnit({ sql }: Workspace, tables: PlannedTable[]): Promise<number> {
	const counts = tables.map((table) => `select unit, count(*) as rows from ${scanRows(table)} p group by unit`)
	const [row] = await sql.unsafe<{ rows: string }[]>(`
		select coalesce(max(rows), 0)::text as rows
		from (select sum(rows) as rows from (${counts.join(' union all ')}) counted group by unit) units`)
	return Number(row?.rows)
}

/** Counts per table and action, the policy's own rows (the first table) left out. */
function listDependents([, ...tables]: PlannedTable[]): Evaluation['dependents'] {
	const counts = new Map<string, Evaluation['dependents'][number]>()
	for (const { table, action, rows } of tables) {
		const id = `${action} ${table}`
		const before = counts.get(id)?.rows ?? 0
		counts.set(id, { table, action, rows: before + rows })
	}
	return [...counts.values()]
}

/** Tables that an evaluation touches, as grants name them. */
export function touchedTables(evaluation: Evaluation): string[] {
	return [...new Set(evaluation.body.tables.map(({ table }) => table))]
}
