import type { JobStatus, RunThrottle } from '@reprieve/contracts'
import { ReprieveError } from '@reprieve/contracts'
import type { PlanBody } from '@reprieve/control'
import type { Services } from '../../context.ts'
import { nextStatus, type RunEvent, statusesThatAllow } from '../lifecycle.ts'
import type { Lease } from './delete-batch.ts'
import { LeaseLost } from './record.ts'

/** A run as its worker needs it. */
export type ClaimedRun = {
	lease: Lease
	planId: string
	lineage: string
	table: string
	actor: string
	reason: string
	body: PlanBody
	exposureRows: number
	targetMs: number
	batchLimit: number
	/** What it leaves to others. */
	throttle: RunThrottle
}

/** What may change under a worker between two batches. */
export type RunState = {
	status: JobStatus
	unit: number
	batches: number
	batchRows: number
	/** Whether the lineage of its plan is open: receipts of a closed one do not come. */
	isLineageOpen: boolean
}

/**
 * Takes the oldest run that is queued or whose lease has expired, under a new epoch; undefined when there is none.
 * Time is the database's, so that every replica has the same.
 */
export async function claimRun(services: Services, owner: string, leaseMs: number): Promise<ClaimedRun | undefined> {
	const claimable = statusesThatAllow('claim')
	const [row] = await services.control.sql<ClaimRow[]>`
		update reprieve.runs r set epoch = r.epoch + 1, lease_owner = ${owner}, waiting = null,
			lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms',
			status = case r.status when 'queued' then ${nextStatus('claim', 'queued')} else r.status end,
			started_at = coalesce(r.started_at, clock_timestamp())
		from reprieve.plans p
		where p.id = r.plan_id and r.id = (
			select c.id from reprieve.runs c
			where c.status = any(${claimable}) and (c.lease_until is null or c.lease_until < clock_timestamp())
			order by c.created_at, c.id limit 1 for update skip locked)
		returning r.id, r.epoch, r.plan_id as "planId", p.lineage, r."table", r.actor, r.reason, p.body,
			r.exposure_rows as "exposureRows", r.target_ms as "targetMs", r.batch_limit as "batchLimit",
			coalesce(r.throttle, '{}') as throttle`
	if (!row) return undefined
	const { id, epoch, body, ...run } = row
	if (epoch > 1) services.log.info({ run: id, epoch }, 'a run goes on where it was left')
	if (!body) throw new ReprieveError('INTERNAL', `plan ${row.planId} of run ${id} has no body`)
	return { ...run, body, lease: { runId: id, owner, epoch } }
}

type ClaimRow = Omit<ClaimedRun, 'lease' | 'body'> & { id: string; epoch: number; body: PlanBody | null }

/** Prolongs the lease; false when another worker has the run. */
export async function heartbeat(services: Services, lease: Lease, leaseMs: number): Promise<boolean> {
	const updated = await services.control.sql`
		update reprieve.runs set lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms'
		where id = ${lease.runId} and epoch = ${lease.epoch} and lease_owner = ${lease.owner}`
	return updated.count === 1
}

/** Gives the run back without changing its status: any worker may claim it at once. */
export async function releaseRun(services: Services, lease: Lease): Promise<void> {
	await services.control.sql`
		update reprieve.runs set lease_owner = null, lease_until = null
		where id = ${lease.runId} and epoch = ${lease.epoch} and lease_owner = ${lease.owner}`
}

/** Reads what may have changed. Throws {@link LeaseLost}. */
export async function readRunState(services: Services, lease: Lease): Promise<RunState> {
	const [row] = await services.control.sql<RunState[]>`
		select r.status, r.unit::float8 as unit, r.batches, r.batch_rows as "batchRows", exists (
				select from reprieve.plans p join reprieve.lineages l on l.id = p.lineage
				where p.id = r.plan_id and l.closed_at is null) as "isLineageOpen"
		from reprieve.runs r
		where id = ${lease.runId} and epoch = ${lease.epoch} and lease_owner = ${lease.owner}`
	if (!row) throw new LeaseLost(lease)
	return row
}

/** Moves a held run along and gives it back. A no-op when the status no longer allows it or the lease is lost. */
export async function endRun(
	services: Services,
	lease: Lease,
	event: Extract<RunEvent, 'settle' | 'finish' | 'fail'>,
	failure: object | null = null,
): Promise<void> {
	await services.control.sql.begin(async (tx) => {
		const [row] = await tx<{ status: JobStatus }[]>`
			select status from reprieve.runs
			where id = ${lease.runId} and epoch = ${lease.epoch} and lease_owner = ${lease.owner} for update`
		if (!row || !statusesThatAllow(event).includes(row.status)) return
		const status = nextStatus(event, row.status)
		await tx`
			update reprieve.runs set status = ${status}, waiting = null, lease_owner = null, lease_until = null,
				failure = ${failure === null ? null : JSON.stringify(failure)}::text::jsonb,
				finished_at = case when ${status} = 'paused' then null else clock_timestamp() end
			where id = ${lease.runId}`
	})
}
