import type { Plan } from '@reprieve/client'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { policyFrom, policyOptions } from '../options/policy.ts'
import { planLines } from '../show/jobs.ts'
import { watchRun } from './run.ts'

type Options = Parameters<typeof policyFrom>[2] & { reason?: string; dryRun?: boolean }
type Form = (input: object) => Promise<Plan | { id: string }>

/** `reprieve cleanup`: plan and run in one call. */
export function cleanupCommand(io: Io): Command {
	const command = new Command('cleanup')
		.description('plan and run in one call')
		.argument('<kind>', 'duplicates, stale, orphans, incomplete, match')
		.argument('<table>')
		.option('--reason <text>', 'kept with every deleted row')
		.option('--dry-run', 'show the plan, delete nothing')
	return policyOptions(command).action(
		withSession(io, async (session, kind: string, table: string, options: Options) => {
			const policy = policyFrom(kind, table, options)
			const form = session.client.cleanup[policy.kind] as Form
			const { reason, dryRun } = options
			const made = await form({ ...policy, reason, dryRun })
			if ('hash' in made) session.show(made, planLines)
			else await watchRun(session, made.id)
		}),
	)
}
