import type { Sql } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import type { SidecarConfig } from '../config.ts'
import { protectionKeeper } from './protection.ts'
import { keepVault, sweepVault } from './vault.ts'

export type UpkeepOptions = {
	config: SidecarConfig
	vault: Vault
	/** Of the role that owns the tables. */
	owner: Sql
	/** Names this process in the lease. */
	name: string
	log: Logger
}

/** A sweep lists every object, which a bucket charges for: an hour lies between two at the default interval. */
const roundsPerSweep = 120

/** `vault`: segments are merged, checkpoints written, what the logs let go of is deleted. `protection`: new leaves are protected. */
export type Duty = 'vault' | 'protection'

/** Work in the background. A failed round is tried again. */
export function startUpkeep(options: UpkeepOptions, duties: readonly Duty[]): { stop(): Promise<void> } {
	const { upkeepMs, protectMs } = options.config
	const kept = {
		vault: [
			{ everyMs: upkeepMs, keep: () => keepVault(options) },
			{ everyMs: upkeepMs * roundsPerSweep, keep: () => sweepVault(options) },
		],
		protection: [{ everyMs: protectMs, keep: protectionKeeper(options) }],
	}
	const running = duties.flatMap((duty) =>
		kept[duty].map(({ everyMs, keep }) => repeat(everyMs, duty, options.log, keep)),
	)
	return { stop: async () => void (await Promise.all(running.map((one) => one.stop()))) }
}

/** Rounds at an interval, never two at a time; none when the interval is 0. */
function repeat(everyMs: number, duty: Duty, log: Logger, work: () => Promise<void>): { stop(): Promise<void> } {
	let round: Promise<void> | undefined
	const next = () => {
		round ??= work()
			.catch((error) => log.warn({ err: error, duty }, 'a round of upkeep failed'))
			.finally(() => {
				round = undefined
			})
	}
	const timer = everyMs > 0 ? setInterval(next, everyMs) : undefined
	return {
		async stop() {
			clearInterval(timer)
			await round
		},
	}
}
