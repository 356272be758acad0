import type { JobStatus, Restore } from '@reprieve/contracts'
import { ReprieveError } from '@reprieve/contracts'
import { dropUnwritten } from '@reprieve/restore'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { isFinal } from '../runs/lifecycle.ts'
import { nextRestoreStatus, type RestoreEvent } from './lifecycle.ts'
import { readRestore, toRestore } from './read.ts'

/** Does what a caller asks of a restore. Throws NOT_FOUND, FORBIDDEN, and CONFLICT with the reason of a refusal. */
export async function commandRestore(
	services: Services,
	principal: Principal,
	asked: { id: string; event: Extract<RestoreEvent, 'pause' | 'resume' | 'cancel'> },
): Promise<Restore> {
	const row = await readRestore(services, asked.id)
	requireTables(principal, Object.keys(row.report ?? {}))
	await services.pools.restore.begin(async (tx) => {
		const [held] = await tx<{ status: JobStatus }[]>`
			select status from reprieve.restores where id = ${asked.id} for update`
		if (!held) throw new ReprieveError('NOT_FOUND', `there is no restore ${asked.id}`)
		const status = nextRestoreStatus(asked.event, held.status)
		if (status === held.status) return
		await tx`
			update reprieve.restores set status = ${status},
				finished_at = case when ${isFinal(status)} then clock_timestamp() end where id = ${asked.id}`
		if (isFinal(status)) await dropUnwritten(tx, asked.id)
		await tx`select pg_notify('reprieve_restores', ${asked.id})`
	})
	return toRestore(await readRestore(services, asked.id))
}
