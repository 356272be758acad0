import type { Sql } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import type { SidecarConfig } from '../config.ts'
import { keepProtection } from './protection.ts'
import { keepVault } from './vault.ts'

export type UpkeepOptions = {
	config: SidecarConfig
	vault: Vault
	/** Of the role that owns the tables. */
	owner: Sql
	/** Names this process in the lease. */
	name: string
	log: Logger
}

/** `vault`: segments are merged, checkpoints written. `protection`: new leaves are protected. */
export type Duty = 'vault' | 'protection'

/** Work in the background. A failed round is tried again. */
export function startUpkeep(options: UpkeepOptions, duties: readonly Duty[]): { stop(): Promise<void> } {
	const { upkeepMs, protectMs } = options.config
	const kept = {
		vault: { everyMs: upkeepMs, keep: () => keepVault(options) },
		protection: { everyMs: protectMs, keep: () => keepProtection(options) },
	}
	const running = duties.map((duty) => repeat(kept[duty].everyMs, duty, options.log, kept[duty].keep))
	return { stop: async () => void (await Promise.all(running.map((duty) => duty.stop()))) }
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
