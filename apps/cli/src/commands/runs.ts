import type { JobStatus } from '@reprieve/client'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { type PageOptions, pageFrom, pageOptions } from '../options/page.ts'
import { runLines } from '../show/jobs.ts'
import { cells, more, table } from '../show/table.ts'
import { showRun, watchRun } from './run.ts'

/** `reprieve runs`: lists runs, and steers one. */
export function runsCommand(io: Io): Command {
	const runs = new Command('runs').description('list, show and steer runs')
	pageOptions(runs.command('list', { isDefault: true }).description('newest first'))
		.option('--status <status>')
		.action(
			withSession(io, async ({ client, show }, options: PageOptions & { status?: JobStatus }) => {
				show(await client.runs.list({ ...pageFrom(options), status: options.status }), ({ items, next }) => [
					...table(
						['run', 'status', 'table', 'planned', 'deleted', 'archived', 'reason'],
						items.map((run) => [run.id, run.status, run.table, run.planned, run.deleted, run.archived, run.reason]),
					),
					...more(next),
				])
			}),
		)
	runs.command('show <run>').action(withSession(io, showRun))
	runs.command('watch <run>').description('follow it to its end').action(withSession(io, watchRun))
	for (const verb of ['pause', 'resume', 'cancel'] as const) {
		runs
			.command(`${verb} <run>`)
			.action(withSession(io, async ({ client, show }, id: string) => show(await client.runs[verb](id), runLines)))
	}
	pageOptions(runs.command('drifted <run>').description('planned rows that were left, with why')).action(
		withSession(io, async ({ client, show }, id: string, options: PageOptions) => {
			show(await client.runs.drifted(id, pageFrom(options)), ({ items, next }) => [
				...table(
					['table', 'key', 'why'],
					items.map(({ table, key, why }) => [table, cells(key), why]),
				),
				...more(next),
			])
		}),
	)
	return runs
}
