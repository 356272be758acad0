import { ReprieveError } from '@reprieve/contracts'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { planLines } from '../show/jobs.ts'

/** `reprieve approve`: consents to exactly one hash. */
export function approveCommand(io: Io): Command {
	return new Command('approve')
		.description('consent to a plan as it was shown')
		.argument('<plan>')
		.option('--hash <hash>', 'the hash that was reviewed; asked for on a terminal')
		.action(
			withSession(io, async ({ client, show, json }, id: string, options: { hash?: string }) => {
				const hash = options.hash ?? (await reviewedHash())
				show(await client.plans.approve({ id, hash }), planLines)

				async function reviewedHash(): Promise<string> {
					const plan = await client.plans.get(id)
					if (io.isTerminal && !json) {
						for (const line of planLines(plan)) io.out(line)
						if (await io.confirm('Approve this plan?')) return plan.hash
						throw new ReprieveError('CONFLICT', 'the plan was not approved')
					}
					throw new ReprieveError('INVALID', '--hash is missing', { hint: `Review it: reprieve plans ${id}` })
				}
			}),
		)
}
