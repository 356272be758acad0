import type { Sql } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import type { SidecarConfig } from '../config.ts'
import { keepProtection } from './protection.ts'
import { keepVault, sweepVault } from './vault.ts'

export type UpkeepOptions = {
	config: SidecarConfig
	vault: Vault
	/** Of the role that owns the tables. */
	owner: Sql
	log: Logger
}

/** A sweep lists every object, which a bucket charges for: an hour lies between two at the default interval. */
const roundsPerSweep = 120

/** Work in the background: new leaves are protected, segments merged, checkpoints written. A failed round is tried again. */
export function startUpkeep(options: UpkeepOptions): { stop(): Promise<void> } {
	const { upkeepMs, protectMs } = options.config
	const duties = [
		repeat(upkeepMs, 'vault', options.log, () => keepVault(options)),
		repeat(upkeepMs * roundsPerSweep, 'sweep', options.log, () => sweepVault(options)),
		repeat(protectMs, 'protection', options.log, () => keepProtection(options)),
	]
	return { stop: async () => void (await Promise.all(duties.map((duty) => duty.stop()))) }
}

/** Rounds at an interval, never two at a time; none when the interval is 0. */
function repeat(everyMs: number, duty: string, log: Logger, work: () => Promise<void>): { stop(): Promise<void> } {
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
