import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { planLines } from '../show/jobs.ts'

/** `reprieve discard`: a plan that shall not be run. */
export function discardCommand(io: Io): Command {
	return new Command('discard')
		.description('give a plan up')
		.argument('<plan>')
		.action(withSession(io, async ({ client, show }, id: string) => show(await client.plans.discard(id), planLines)))
}
