import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { parseCount } from '../options/parse.ts'

/** `reprieve barrier`: waits until everything committed before is restorable. */
export function barrierCommand(io: Io): Command {
	return new Command('barrier')
		.description('wait until everything committed before now is restorable')
		.option('--timeout-ms <ms>', 'give up after so long', parseCount)
		.action(
			withSession(io, async ({ client, show }, { timeoutMs }: { timeoutMs?: number }) => {
				show(await client.archive.barrier({ timeoutMs }), ({ position, waitedMs }) => [
					`everything up to ${position} is restorable (waited ${Math.round(waitedMs)} ms)`,
				])
			}),
		)
}
