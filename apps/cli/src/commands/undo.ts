import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'

/** `reprieve undo`: takes a restore back, as a plan over the rows that it wrote. */
export function undoCommand(io: Io): Command {
	return new Command('undo')
		.description('take a restore back: makes a plan over the rows that it wrote')
		.argument('<restore>')
		.action(
			withSession(io, async ({ client, show }, id: string) => {
				show(await client.restores.undo(id), ({ planId, runId }) => [
					runId ? `run ${runId} undoes it` : `plan ${planId} would undo it: reprieve plans ${planId}`,
				])
			}),
		)
}
