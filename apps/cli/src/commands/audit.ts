import { ReprieveError } from '@reprieve/contracts'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { type PageOptions, pageFrom, pageOptions } from '../options/page.ts'
import { more, table } from '../show/table.ts'

/** `reprieve audit`: who did what. */
export function auditCommand(io: Io): Command {
	const audit = new Command('audit').description('who did what, refusals included')
	pageOptions(audit.command('list', { isDefault: true }))
		.option('--act <act>', 'only one act, as runs.start')
		.action(
			withSession(io, async ({ client, show }, options: PageOptions & { act?: string }) => {
				show(await client.audit.list({ ...pageFrom(options), act: options.act }), ({ items, next }) => [
					...table(
						['at', 'principal', 'act', 'target', 'outcome'],
						items.map((entry) => [entry.at, entry.principal, entry.act, entry.target ?? '', entry.outcome]),
					),
					...more(next),
				])
			}),
		)
	audit
		.command('verify')
		.description('recompute the chain of hashes')
		.action(
			withSession(io, async ({ client, show }) => {
				const verdict = await client.audit.verify()
				show(verdict, ({ entries, intact }) => [`${entries} entries, ${intact ? 'intact' : 'BROKEN'}`])
				if (verdict.intact) return
				throw new ReprieveError('INTERNAL', `the chain is broken at entry ${verdict.brokenAt}`)
			}),
		)
	return audit
}
