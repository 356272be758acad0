import type { Failure, JobStatus } from '@reprieve/contracts'
import { dropUnwritten, type RestoreCursor, type RestoreRequest } from '@reprieve/restore'
import type { Services } from '../../context.ts'
import { statusesThatAllow } from '../../runs/lifecycle.ts'
import { nextRestoreStatus, type RestoreEvent } from '../lifecycle.ts'

/** A worker's hold on a restore: its batches commit only while this epoch stands. */
export type RestoreLease = { id: string; owner: string; epoch: number }

export type ClaimedRestore = { lease: RestoreLease; actor: string; reason: string; request: RestoreRequest }

type ClaimRow = {
	id: string
	epoch: number
	actor: string
	reason: string
	selection: RestoreRequest['selection']
	options: Omit<RestoreRequest, 'selection'>
}

/** Takes the oldest restore that is queued or whose lease has expired, under a new epoch; by the database's time. */
export async function claimRestore(
	services: Services,
	owner: string,
	leaseMs: number,
): Promise<ClaimedRestore | undefined> {
	const [row] = await services.control.sql<ClaimRow[]>`
		update reprieve.restores r set epoch = r.epoch + 1, lease_owner = ${owner}, waiting = null,
			lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms',
			status = case r.status when 'queued' then ${nextRestoreStatus('claim', 'queued')} else r.status end,
			started_at = coalesce(r.started_at, clock_timestamp())
		where r.id = (
			select c.id from reprieve.restores c
			where c.status = any(${statusesThatAllow('claim')}) and (c.lease_until is null or c.lease_until < clock_timestamp())
			order by c.created_at, c.id limit 1 for update skip locked)
		returning r.id, r.epoch, r.actor, r.reason, r.selection, r.options`
	if (!row) return undefined
	const { id, epoch, actor, reason, selection, options } = row
	if (epoch > 1) services.log.info({ restore: id, epoch }, 'a restore goes on where it was left')
	return { lease: { id, owner, epoch }, actor, reason, request: { selection, ...options } }
}

/** Prolongs the lease; false when another worker has the restore. */
export async function keepRestore(services: Services, lease: RestoreLease, leaseMs: number): Promise<boolean> {
	const updated = await services.control.sql`
		update reprieve.restores set lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms'
		where id = ${lease.id} and epoch = ${lease.epoch} and lease_owner = ${lease.owner}`
	return updated.count === 1
}

/** Gives the restore back without changing its status. */
export async function releaseRestore(services: Services, lease: RestoreLease): Promise<void> {
	await services.control.sql`
		update reprieve.restores set lease_owner = null, lease_until = null
		where id = ${lease.id} and epoch = ${lease.epoch} and lease_owner = ${lease.owner}`
}

/** What may change under a worker between two batches; undefined when the lease is lost. */
export async function readHeld(
	services: Services,
	lease: RestoreLease,
): Promise<{ status: JobStatus; cursor: RestoreCursor } | undefined> {
	const [row] = await services.control.sql<{ status: JobStatus; cursor: RestoreCursor }[]>`
		select status, cursor from reprieve.restores
		where id = ${lease.id} and epoch = ${lease.epoch} and lease_owner = ${lease.owner}`
	return row
}

/** Moves a held restore along and gives it back; its list goes when it is over. */
export async function endRestore(
	services: Services,
	lease: RestoreLease,
	event: Extract<RestoreEvent, 'settle' | 'finish' | 'fail'>,
	failure: Failure | null = null,
): Promise<void> {
	await services.pools.restore.begin(async (tx) => {
		const [row] = await tx<{ status: JobStatus }[]>`
			select status from reprieve.restores
			where id = ${lease.id} and epoch = ${lease.epoch} and lease_owner = ${lease.owner} for update`
		if (!row || !statusesThatAllow(event).includes(row.status)) return
		const status = nextRestoreStatus(event, row.status)
		await tx`
			update reprieve.restores set status = ${status}, waiting = null, lease_owner = null, lease_until = null,
				failure = ${failure === null ? null : JSON.stringify(failure)}::text::jsonb,
				finished_at = case when ${status} = 'paused' then null else clock_timestamp() end
			where id = ${lease.id}`
		if (status !== 'paused') await dropUnwritten(tx, lease.id)
	})
}
