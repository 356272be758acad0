import {
	type Failure,
	formatInstant,
	type JobStatus,
	ReprieveError,
	type Restore,
	type Waiting,
} from '@reprieve/contracts'
import { arrayLiteral } from '@reprieve/postgres'
import type { RestoreCursor } from '@reprieve/restore'
import type { Services } from '../context.ts'

export type RestoreRow = {
	id: string
	status: JobStatus
	reason: string
	actor: string
	selected: string
	restored: string
	identical: string
	skipped: string
	conflicts: string
	relinked: string
	verified: string
	cursor: RestoreCursor | null
	waiting: Waiting | null
	failure: Failure | null
	undoPlanId: string | null
	report: RestoreReport | null
	created: string
	started: string | null
	finished: string | null
}

/** Counts per archived table, as the batches that committed left them. */
export type RestoreReport = Record<string, TableCounts>
export type TableCounts = {
	selected: number
	restored: number
	identical: number
	skipped: number
	relinked: number
	verified: number
}

const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::int8::text`
const fields = `id, status, reason, actor, selected, restored, identical, skipped, conflicts, relinked, verified, cursor,
	waiting, failure, report, undo_plan_id as "undoPlanId", ${micros('created_at')} as created,
	${micros('started_at')} as started, ${micros('finished_at')} as finished`

/** One restore's row. Throws NOT_FOUND. */
export async function readRestore(services: Services, id: string): Promise<RestoreRow> {
	const row = await findRestore(services, id)
	if (!row) throw new ReprieveError('NOT_FOUND', `there is no restore ${id}`)
	return row
}

/** As {@link readRestore}; undefined when there is none. */
export async function findRestore(services: Services, id: string): Promise<RestoreRow | undefined> {
	const [row] = await services.control.sql.unsafe<RestoreRow[]>(
		`select ${fields} from reprieve.restores where id = $1`,
		[id],
		{ prepare: true },
	)
	return row
}

/** Rows of restores that touch no other `tables`, newest first, behind a cursor. */
export async function readRestores(
	services: Services,
	page: { status?: JobStatus; tables?: string[]; after?: { micros: string; id: string }; limit: number },
): Promise<RestoreRow[]> {
	return await services.control.sql.unsafe<RestoreRow[]>(
		`select ${fields} from reprieve.restores
		where ($1::text is null or status = $1) and ($2::text is null or (${micros('created_at')}::int8, id) < ($2::int8, $3))
			and ($5::text::text[] is null or not exists (
				select from jsonb_object_keys(coalesce(report, '{}')) touched where touched <> all($5::text::text[])))
		order by created_at desc, id desc limit $4::int4`,
		[
			page.status ?? null,
			page.after?.micros ?? null,
			page.after?.id ?? null,
			page.limit,
			page.tables ? arrayLiteral(page.tables) : null,
		],
		{ prepare: true },
	)
}

/** A restore as surfaces show it. */
export function toRestore(row: RestoreRow): Restore {
	const { done = 0, batches = 0 } = row.cursor ?? {}
	const progress = row.status === 'succeeded' ? 1 : batches === 0 ? 0 : done / batches
	return {
		id: row.id,
		status: row.status,
		reason: row.reason,
		actor: row.actor,
		selected: Number(row.selected),
		restored: Number(row.restored),
		identical: Number(row.identical),
		skipped: Number(row.skipped),
		conflicts: Number(row.conflicts),
		relinked: Number(row.relinked),
		verified: Number(row.verified),
		progress,
		...(row.waiting && { waiting: row.waiting }),
		...etaOf(row, progress),
		createdAt: instantOf(row.created),
		...(row.started && { startedAt: instantOf(row.started) }),
		...(row.finished && { finishedAt: instantOf(row.finished) }),
		...(row.undoPlanId && { undoPlanId: row.undoPlanId }),
		...(row.failure && { failure: row.failure }),
	}
}

function etaOf(row: RestoreRow, progress: number): { etaSeconds?: number } {
	if (row.status !== 'running' || !row.started || progress === 0) return {}
	const elapsed = Date.now() / 1000 - Number(row.started) / 1_000_000
	return { etaSeconds: Math.max(0, (elapsed * (1 - progress)) / progress) }
}

function instantOf(micros: string): string {
	return formatInstant(BigInt(micros))
}
