import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { policyFrom, policyOptions } from '../options/policy.ts'
import { planLines } from '../show/jobs.ts'

type Options = Parameters<typeof policyFrom>[2] & { reason?: string }

/** `reprieve plan`: finds what a policy matches; nothing is deleted. */
export function planCommand(io: Io): Command {
	const command = new Command('plan')
		.description('find what a policy matches and show exactly what would go; deletes nothing')
		.argument('<kind>', 'duplicates, stale, orphans, incomplete, match; or policy, for one kept by name')
		.argument('<table>', 'the table; or the name of the policy, as name or name@version')
		.option('--reason <text>')
	return policyOptions(command).action(
		withSession(io, async ({ client, show }, kind: string, table: string, options: Options) => {
			const policy = kind === 'policy' ? reference(table) : policyFrom(kind, table, options)
			show(await client.plans.create(policy, { reason: options.reason }), planLines)
		}),
	)
}

function reference(text: string): { name: string; version?: number } {
	const [name = '', version] = text.split('@')
	return { name, version: version ? Number(version) : undefined }
}
