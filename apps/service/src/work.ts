import { openCheckpoints } from './audit/checkpoint.ts'
import type { Services } from './context.ts'
import { forgetOldKeys } from './idempotency/settle.ts'
import { sweepPlans } from './plans/sweep.ts'
import { startRestoreWorkers } from './restores/worker/loop.ts'
import { startWorkers } from './runs/worker/loop.ts'

const sweepMs = 60_000
const hourMs = 3_600_000

/** Starts what goes on without a call: the workers of runs and restores, the sweep of plans, checkpoints of the audit. `stop` ends it between two steps. */
export async function startWork(services: Services): Promise<{ stop(): Promise<void> }> {
	const runs = await startWorkers(services)
	const restores = await startRestoreWorkers(services)
	const sweeping = repeat(services, 'sweep of plans', sweepMs, () => sweepPlans(services))
	const forgetting = repeat(services, 'removal of old idempotency keys', hourMs, () => forgetOldKeys(services))
	const checkpoints = openCheckpoints(services)
	const checkpointed = (least?: bigint) =>
		checkpoints.write(least).catch((err) => services.log.warn({ err }, 'checkpoint of the audit failed'))
	await checkpointed(1n)
	const checkpointing = repeat(services, 'checkpoint of the audit', sweepMs, () => checkpoints.write())
	return {
		async stop() {
			const parts = [sweeping, forgetting, checkpointing, runs, restores]
			await Promise.all(parts.map((part) => part.stop()))
			await checkpointed(1n)
		},
	}
}

/** Does something again and again, never twice at once; a failure is logged and the next turn tries again. */
function repeat(services: Services, what: string, everyMs: number, act: () => Promise<unknown>) {
	let turn = Promise.resolve()
	let isUnderWay = false
	const timer = setInterval(() => {
		if (isUnderWay) return
		isUnderWay = true
		turn = act()
			.then(() => {})
			.catch((err) => services.log.warn({ err }, `${what} failed`))
			.finally(() => {
				isUnderWay = false
			})
	}, everyMs)
	return {
		async stop() {
			clearInterval(timer)
			await turn
		},
	}
}
