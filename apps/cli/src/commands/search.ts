import type { Change } from '@reprieve/client'
import type { Row, Where } from '@reprieve/contracts'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { type PageOptions, pageFrom, pageOptions } from '../options/page.ts'
import { parseJson, parseKey } from '../options/parse.ts'
import { cells, more } from '../show/table.ts'

type Options = PageOptions & {
	table?: string
	key?: Row
	run?: string
	transaction?: string
	from?: string
	to?: string
	where?: Where
}

/** `reprieve search`: what was deleted, by whom, why and when. */
export function searchCommand(io: Io): Command {
	const command = new Command('search')
		.description('find deleted rows in the archive')
		.option('--table <table>')
		.option('--key <key>', 'id=5 or JSON', parseKey)
		.option('--run <id>')
		.option('--transaction <id>')
		.option('--from <instant>', 'deleted at or after')
		.option('--to <instant>', 'deleted before')
		.option('--where <json>', 'a predicate on the archived columns', parseJson)
	return pageOptions(command).action(
		withSession(io, async ({ client, show }, options: Options) => {
			const { table, key, run, transaction, from, to, where } = options
			const query = { table, key, run, transaction, from, to, where, ...pageFrom(options) }
			show(await client.archive.page(query), ({ items, next }) => [...items.flatMap(changeLines), ...more(next)])
		}),
	)
}

function changeLines(change: Change): string[] {
	const who = change.actor ? `by ${change.actor}${change.claimed ? ' (claimed)' : ''}` : 'by somebody'
	return [
		`${change.committedAt} ${change.undone ? '(undone by a promotion) ' : ''}${change.op} ${change.table} ${cells(change.key)} ${who}${change.reason ? `: ${change.reason}` : ''}`,
		`  change ${change.id}${change.run ? `, run ${change.run}` : ''}`,
		`  ${cells(change.row)}`,
	]
}
