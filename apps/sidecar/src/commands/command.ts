import { ReprieveError } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import type { ProcessConfig } from '../config.ts'
import type { SidecarParts } from '../start.ts'

/** What every command of the sidecar is given. */
export type CommandInput = {
	config: ProcessConfig
	vault: Vault
	/** Name of the database served. */
	database: string
	options: Readonly<Partial<Record<'sink' | 'source' | 'topic' | 'partition' | 'offset' | 'reason', string>>>
	/** For what asks after the process's health. */
	onState: SidecarParts['onState']
	say(line: string): void
}

/** The value of an option among those that it may have; the first where it is absent. Throws INVALID for another. */
export function optionOf<T extends string>(name: string, given: string | undefined, among: readonly [T, ...T[]]): T {
	const found = among.find((value) => value === (given ?? among[0]))
	if (found) return found
	throw new ReprieveError('INVALID', `--${name} is ${given}`, { hint: `It is ${among.join(' or ')}.` })
}
