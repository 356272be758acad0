import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { type PageOptions, pageFrom, pageOptions } from '../options/page.ts'
import { more } from '../show/table.ts'

/** `reprieve incidents`: what must not go unseen, and saying that it was dealt with. */
export function incidentsCommand(io: Io): Command {
	const incidents = new Command('incidents').description('what went wrong, and what to do about it')
	pageOptions(incidents.command('list', { isDefault: true }).description('open ones first')).action(
		withSession(io, async ({ client, show }, options: PageOptions) => {
			show(await client.system.incidents(pageFrom(options)), ({ items, next }) => [
				...(items.length === 0 ? ['none'] : []),
				...items.flatMap(({ id, at, code, message, remedy, resolvedAt, resolvedBy }) => [
					`${id}  ${at}  ${code}: ${message}`,
					`  ${resolvedAt === undefined ? remedy : `resolved at ${resolvedAt} by ${resolvedBy}`}`,
				]),
				...more(next),
			])
		}),
	)
	incidents
		.command('resolve <incident>')
		.description('say that it was dealt with: runs may go on')
		.requiredOption('--reason <reason>', 'what was done about it, for the audit')
		.action(
			withSession(io, async ({ client, show }, id: string, { reason }: { reason: string }) => {
				show(await client.system.resolveIncident(id, reason), ({ code }) => [`${code} is resolved`])
			}),
		)
	return incidents
}
