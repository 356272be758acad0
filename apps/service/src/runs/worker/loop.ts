import { randomUUID } from 'node:crypto'
import type { Services } from '../../context.ts'
import { type ClaimedRun, claimRun, heartbeat, releaseRun } from './claim.ts'
import { executeRun } from './execute.ts'
import type { ExecuteOptions } from './hold.ts'
import { createPlaces, type Places } from './places.ts'
import { collectReceipts } from './receipts.ts'
import { createWake, type Wake } from './wake.ts'

export type WorkerOptions = {
	/** Runs at work at once. Default 2; below the connections of the delete pool. Many more are held, waiting. */
	concurrency?: number
	/** Without a heartbeat for so long another worker takes the run. Default 30 s. */
	leaseMs?: number
	/** The longest pause between looks at what should have been notified. Default 500 ms. */
	pollMs?: number
	/** Tries of one batch against contention. Default 12. */
	attempts?: number
	/** Milliseconds that a batch waits for a lock (default 3 s) and that a statement may take (default 10 min). */
	lockTimeoutMs?: number
	statementTimeoutMs?: number
	/** Seconds that a physical standby may lag. Default 10. */
	replicaLagSeconds?: number
}

/** Running workers; `stop` ends them between two batches and gives their runs back. */
export type Workers = { stop(): Promise<void> }

/** Channels that wake the workers: receipts from capture, runs from the verbs. */
const channels = ['reprieve_receipts', 'reprieve_runs'] as const

/** Runs that are held for each at work: one may wait for hours, for its window. */
const heldForOne = 50

type Loop = {
	services: Services
	options: Required<WorkerOptions>
	owner: string
	wake: Wake
	places: Places
	stopping: AbortSignal
}

/** Starts working runs: claims what is queued or was left behind, deletes, and collects receipts of every run. */
export async function startWorkers(services: Services, options: WorkerOptions = {}): Promise<Workers> {
	const stopping = new AbortController()
	const wake = createWake()
	const all = withDefaults(options)
	const loop: Loop = {
		...{ services, options: all, owner: randomUUID(), wake },
		...{ places: createPlaces(all.concurrency, wake.notify), stopping: stopping.signal },
	}
	const listening = await Promise.all(
		channels.map((channel) => services.control.sql.listen(channel, wake.notify, wake.notify)),
	)
	const done = Promise.all([workRuns(loop), collect(loop)])
	return {
		async stop() {
			stopping.abort()
			wake.notify()
			await done
			await Promise.all(listening.map((channel) => channel.unlisten()))
		},
	}
}

function withDefaults(options: WorkerOptions): Required<WorkerOptions> {
	return {
		concurrency: 2,
		leaseMs: 30_000,
		pollMs: 500,
		attempts: 12,
		lockTimeoutMs: 3_000,
		statementTimeoutMs: 600_000,
		replicaLagSeconds: 10,
		...options,
	}
}

async function collect({ services, options, wake, stopping }: Loop): Promise<void> {
	while (!stopping.aborted) {
		const equal = await attempt(services, 'receipts', () => collectReceipts(services))
		if (equal) wake.notify()
		await wake.wait(options.pollMs, stopping)
	}
}

async function workRuns(loop: Loop): Promise<void> {
	const { services, options, owner, wake, places, stopping } = loop
	const active = new Set<Promise<void>>()
	while (!stopping.aborted) {
		const run =
			// What others could work at once is left to them.
			places.hasRoom() && active.size < options.concurrency * heldForOne
				? await attempt(services, 'claim', () => claimRun(services, owner, options.leaseMs))
				: undefined
		if (!run) {
			await wake.wait(options.pollMs, stopping)
			continue
		}
		const work = hold(loop, run).finally(() => {
			active.delete(work)
			wake.notify()
		})
		active.add(work)
	}
	await Promise.all(active)
}

/** Works one run under a heartbeat; a lost lease ends the work, and its batch cannot commit. */
async function hold(loop: Loop, run: ClaimedRun): Promise<void> {
	const { services, options } = loop
	const lost = new AbortController()
	const timer = setInterval(() => {
		heartbeat(services, run.lease, options.leaseMs).then(
			(held) => held || lost.abort(),
			(error: unknown) => services.log.warn({ run: run.lease.runId, err: error }, 'heartbeat failed'),
		)
	}, options.leaseMs / 3)
	try {
		await executeRun(services, run, executeOptions(loop, AbortSignal.any([loop.stopping, lost.signal])))
	} catch (error) {
		services.log.error({ run: run.lease.runId, err: error }, 'the run was left to another worker')
		await attempt(services, 'release', () => releaseRun(services, run.lease))
	} finally {
		clearInterval(timer)
	}
}

function executeOptions({ services, options, wake, places }: Loop, signal: AbortSignal): ExecuteOptions {
	return {
		batch: {
			lockTimeoutMs: options.lockTimeoutMs,
			statementTimeoutMs: options.statementTimeoutMs,
			// What stands still for longer than its lease holds locks that its successor needs, and cannot commit.
			idleTimeoutMs: options.leaseMs,
		},
		throttle: {
			exposureBatches: services.limits.exposureBatches,
			slotBytes: services.limits.slotBytes,
			replicaLagSeconds: options.replicaLagSeconds,
			lockWaits: 0,
		},
		attempts: options.attempts,
		pollMs: options.pollMs,
		wake,
		places,
		signal,
	}
}

/** The loops outlive a database that is away for a while. */
async function attempt<T>(services: Services, what: string, act: () => Promise<T>): Promise<T | undefined> {
	try {
		return await act()
	} catch (error) {
		services.log.warn({ err: error }, `${what} failed, tried again`)
		return undefined
	}
}
