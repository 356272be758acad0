import type { PlanStatus } from '@reprieve/client'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { type PageOptions, pageFrom, pageOptions } from '../options/page.ts'
import { planLines } from '../show/jobs.ts'
import { cells, more, table } from '../show/table.ts'

type Options = PageOptions & { rows?: boolean; status?: PlanStatus }

/** `reprieve plans`: lists plans, shows one, or its rows. */
export function plansCommand(io: Io): Command {
	const command = new Command('plans')
		.description('list plans, or show one')
		.argument('[plan]')
		.option('--rows', 'the planned rows of the plan')
		.option('--status <status>', 'only plans of this status')
	return pageOptions(command).action(
		withSession(io, async ({ client, show }, id: string | undefined, options: Options) => {
			if (id && options.rows) {
				return show(await client.plans.rows(id, pageFrom(options)), ({ items, next }) => [
					...table(
						['table', 'action', 'key', 'kept'],
						items.map(({ table, action, key, keeper }) => [table, action, cells(key), keeper ? cells(keeper) : '']),
					),
					...more(next),
				])
			}
			if (id) return show(await client.plans.get(id), planLines)
			show(await client.plans.list({ ...pageFrom(options), status: options.status }), ({ items, next }) => [
				...table(
					['plan', 'status', 'table', 'rows', 'expires'],
					items.map((plan) => [plan.id, plan.status, plan.table, plan.rows, plan.expiresAt]),
				),
				...more(next),
			])
		}),
	)
}
