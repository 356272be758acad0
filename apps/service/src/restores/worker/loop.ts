import { randomUUID } from 'node:crypto'
import type { Services } from '../../context.ts'
import { createWake } from '../../runs/worker/wake.ts'
import { type ClaimedRestore, claimRestore, keepRestore, releaseRestore } from './claim.ts'
import { executeRestore } from './execute.ts'

export type RestoreWorkerOptions = {
	/** Without a heartbeat for so long another worker takes the restore. Default 30 s. */
	leaseMs?: number
	/** The longest pause between looks at what should have been notified. Default 1 s. */
	pollMs?: number
}

/** Starts working restores, one at a time; `stop` ends between two batches and gives the restore back. */
export async function startRestoreWorkers(
	services: Services,
	options: RestoreWorkerOptions = {},
): Promise<{ stop(): Promise<void> }> {
	const { leaseMs = 30_000, pollMs = 1_000 } = options
	const stopping = new AbortController()
	const wake = createWake()
	const owner = randomUUID()
	const listening = await services.control.sql.listen('reprieve_restores', wake.notify, wake.notify)
	const done = work()
	return {
		async stop() {
			stopping.abort()
			wake.notify()
			await done
			await listening.unlisten()
		},
	}

	async function work(): Promise<void> {
		while (!stopping.signal.aborted) {
			const claimed = await claim()
			if (claimed) await hold(services, claimed, { leaseMs, signal: stopping.signal })
			else await wake.wait(pollMs, stopping.signal)
		}
	}

	async function claim(): Promise<ClaimedRestore | undefined> {
		try {
			return await claimRestore(services, owner, leaseMs)
		} catch (error) {
			services.log.warn({ err: error }, 'claiming a restore failed, tried again')
			return undefined
		}
	}
}

/** Works one restore under a heartbeat; a lost lease ends the work, and its batch cannot commit. */
async function hold(
	services: Services,
	claimed: ClaimedRestore,
	options: { leaseMs: number; signal: AbortSignal },
): Promise<void> {
	const lost = new AbortController()
	const timer = setInterval(() => {
		keepRestore(services, claimed.lease, options.leaseMs).then(
			(held) => held || lost.abort(),
			(error: unknown) => services.log.warn({ restore: claimed.lease.id, err: error }, 'heartbeat failed'),
		)
	}, options.leaseMs / 3)
	try {
		await executeRestore(services, claimed, AbortSignal.any([options.signal, lost.signal]))
	} catch (error) {
		services.log.error({ restore: claimed.lease.id, err: error }, 'the restore was left to another worker')
		await releaseRestore(services, claimed.lease).catch(() => {})
	} finally {
		clearInterval(timer)
	}
}
