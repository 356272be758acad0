import type { Services } from '../../context.ts'
import { type ClaimedRun, releaseRun } from './claim.ts'
import { type ExecuteOptions, type Hold, openHold, type Turn } from './hold.ts'
import { settle } from './settle.ts'
import { glance, takeTurn, waitForOthers } from './turn.ts'

/**
 * Works a claimed run to its end, or until it is paused, cancelled, taken over or the signal is aborted. Everything that
 * matters is in the database: each turn begins by reading it, so a turn may end anywhere. What it waits for may be hours away,
 * its window above all: then it looks from time to time, and others have its place.
 */
export async function executeRun(services: Services, run: ClaimedRun, options: ExecuteOptions): Promise<void> {
	const { signal, wake, places } = options
	let hold: Hold | undefined
	const take = async (turn: (hold: Hold) => Promise<Turn>): Promise<Turn> => {
		try {
			hold ??= await openHold(services, run, options)
			return await turn(hold)
		} catch (error) {
			return await settle({ services, run, options }, hold, error)
		}
	}
	const work = async (): Promise<Turn> => {
		for (let next: Turn = 'again'; ; ) {
			if (next !== 'again') await wake.wait(next.waitMs, signal)
			if (signal.aborted) return 'again'
			next = await take(takeTurn)
			if (next === 'over' || (next !== 'again' && next.isLong)) return next
		}
	}
	const rest = async (next: Turn): Promise<Turn> => {
		while (typeof next === 'object' && !signal.aborted) {
			await wake.wait(next.waitMs, signal)
			next = await take(glance)
			if (next !== 'again') places.forget(run)
		}
		return next
	}
	try {
		while (!signal.aborted) {
			const next = (await places.tryUse(run, work)) ?? (await take(waitForOthers))
			if (next === 'over' || (await rest(next)) === 'over') return
		}
	} finally {
		places.forget(run)
	}
	await releaseRun(services, run.lease)
}
