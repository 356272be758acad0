import { ReprieveError, type Run } from '@reprieve/contracts'
import { runs } from '@reprieve/control'
import { arrayLiteral } from '@reprieve/postgres'
import { eq, sql } from 'drizzle-orm'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { gatherReads } from '../share.ts'
import { isFinal } from './lifecycle.ts'

/** What is shown of a run. Every column read costs each row of it, so the worker's own are left out. */
const shown = {
	id: runs.id,
	planId: runs.planId,
	status: runs.status,
	table: runs.table,
	reason: runs.reason,
	actor: runs.actor,
	planned: runs.planned,
	deleted: runs.deleted,
	relinked: runs.relinked,
	archived: runs.archived,
	drifted: runs.drifted,
	collateral: runs.collateral,
	batches: runs.batches,
	throttle: runs.throttle,
	waiting: runs.waiting,
	rowsPerSecond: runs.rowsPerSecond,
	createdAt: runs.createdAt,
	startedAt: runs.startedAt,
	finishedAt: runs.finishedAt,
	failure: runs.failure,
}

type RunRow = Pick<typeof runs.$inferSelect, keyof typeof shown>

/** A stored run as surfaces show it. */
export function toRun(row: RunRow): Run {
	const done = row.deleted + row.relinked + row.drifted
	const exposure = row.deleted + row.relinked + row.collateral - row.archived
	const rate = row.rowsPerSecond ?? undefined
	return {
		id: row.id,
		planId: row.planId,
		status: row.status,
		table: row.table,
		reason: row.reason,
		actor: row.actor,
		planned: row.planned,
		deleted: row.deleted,
		relinked: row.relinked,
		archived: row.archived,
		drifted: row.drifted,
		collateral: row.collateral,
		exposure,
		batches: row.batches,
		throttle: row.throttle ?? undefined,
		waiting: row.waiting ?? undefined,
		progress: progressOf(row, done),
		rowsPerSecond: rate,
		etaSeconds: rate && !isFinal(row.status) ? Math.round(Math.max(0, row.planned - done) / rate) : undefined,
		createdAt: row.createdAt,
		startedAt: row.startedAt ?? undefined,
		finishedAt: row.finishedAt ?? undefined,
		failure: row.failure ?? undefined,
	}
}

/** Rows that are settled, of all planned: 1 only when every receipt is in. */
function progressOf(row: RunRow, done: number): number {
	if (row.status === 'succeeded') return 1
	return row.planned === 0 ? 0 : Math.min(0.999, done / row.planned)
}

/** Reads one run that the principal may see. Throws NOT_FOUND, FORBIDDEN. */
export async function readRun(services: Services, principal: Principal, id: string): Promise<RunRow> {
	const row = await findRun(services, principal, id)
	if (!row) throw noRun(id)
	return row
}

/** As {@link readRun}; undefined when there is none. */
export async function findRun(services: Services, principal: Principal, id: string): Promise<RunRow | undefined> {
	const row = await readRow(services, id)
	if (row) requireTables(principal, [row.table])
	return row
}

const readRow = gatherReads(({ control }: Services) => {
	const rows = () => control.db.select(shown).from(runs)
	const one = rows()
		.where(eq(runs.id, sql.placeholder('id')))
		.prepare('run')
	const several = rows()
		.where(sql`${runs.id} = any(${sql.placeholder('ids')}::text[])`)
		.prepare('runs')
	return async (ids) => {
		// PostgreSQL keeps the plan for one id, and makes one anew for each list.
		const found: RunRow[] =
			ids.length === 1 ? await one.execute({ id: ids[0] }) : await several.execute({ ids: arrayLiteral(ids) })
		return new Map(found.map((row) => [row.id, row]))
	}
})

/** The error of a run that does not exist. */
export function noRun(id: string): ReprieveError {
	return new ReprieveError('NOT_FOUND', `there is no run ${id}`, { hint: 'List the runs to find its id.' })
}
