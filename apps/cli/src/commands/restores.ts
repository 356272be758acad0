import type { JobStatus } from '@reprieve/client'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { type PageOptions, pageFrom, pageOptions } from '../options/page.ts'
import { restoreLines } from '../show/jobs.ts'
import { cells, more, table } from '../show/table.ts'
import { watchRestore } from './restore.ts'

/** `reprieve restores`: lists restores, and steers one. */
export function restoresCommand(io: Io): Command {
	const restores = new Command('restores').description('list, show and steer restores')
	pageOptions(restores.command('list', { isDefault: true }).description('newest first'))
		.option('--status <status>')
		.action(
			withSession(io, async ({ client, show }, options: PageOptions & { status?: JobStatus }) => {
				show(await client.restores.list({ ...pageFrom(options), status: options.status }), ({ items, next }) => [
					...table(
						['restore', 'status', 'selected', 'restored', 'identical', 'skipped', 'verified', 'reason'],
						items.map((r) => [r.id, r.status, r.selected, r.restored, r.identical, r.skipped, r.verified, r.reason]),
					),
					...more(next),
				])
			}),
		)
	restores
		.command('show <restore>')
		.action(withSession(io, async ({ client, show }, id: string) => show(await client.restores.get(id), restoreLines)))
	restores.command('watch <restore>').description('follow it to its end').action(withSession(io, watchRestore))
	for (const verb of ['pause', 'resume', 'cancel'] as const) {
		restores
			.command(`${verb} <restore>`)
			.action(
				withSession(io, async ({ client, show }, id: string) => show(await client.restores[verb](id), restoreLines)),
			)
	}
	pageOptions(restores.command('report <restore>').description('every row that is not as it was')).action(
		withSession(io, async ({ client, show }, id: string, options: PageOptions) => {
			show(await client.restores.report(id, pageFrom(options)), (report) => [
				...table(
					['table', 'selected', 'restored', 'identical', 'skipped', 'relinked', 'verified'],
					report.tables.map((t) => [t.table, t.selected, t.restored, t.identical, t.skipped, t.relinked, t.verified]),
				),
				...report.items.map((item) => `${item.table} ${cells(item.key)}: ${item.state}. ${item.message}`),
				...more(report.next),
			])
		}),
	)
	return restores
}
