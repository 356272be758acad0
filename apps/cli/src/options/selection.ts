import type { PreviewOptions, Selection } from '@reprieve/client'
import { ReprieveError, type Row, type Where } from '@reprieve/contracts'
import type { Command } from 'commander'
import { collect, parseJson, parseKey } from './parse.ts'

type SelectionOptions = {
	run?: string
	transaction?: string
	change?: string[]
	table?: string
	key?: Row[]
	where?: Where
	from?: string
	to?: string
	conflict?: 'stop' | 'skip' | 'overwrite'
	triggers?: 'suppress' | 'fire'
	rename?: Record<string, Record<string, string>>
	parents?: boolean
}

/** Adds the options that say what to restore and how. */
export function selectionOptions(command: Command): Command {
	return command
		.option('--run <id>', 'everything that a run deleted')
		.option('--transaction <id>', 'everything that a transaction deleted')
		.option('--change <id>', 'one change; may be given several times', collect(String))
		.option('--table <table>', 'rows of one table')
		.option('--key <key>', 'with --table: id=5 or JSON; may be given several times', collect(parseKey))
		.option('--where <json>', 'with --table: a predicate on the archived columns', parseJson)
		.option('--from <instant>', 'deleted at or after; without --table in all tables')
		.option('--to <instant>', 'deleted before, with --table or --from')
		.option('--conflict <how>', 'a row lives under the key: stop (default), skip, overwrite')
		.option('--triggers <how>', 'suppress (default) or fire')
		.option('--rename <json>', 'archived to live column per table: {"t": {"old": "new"}}', parseJson)
		.option('--parents', 'bring back missing parents too')
}

/** Selection and options as a preview and a restore take them. Throws INVALID when not exactly one thing is selected. */
export function selectionFrom(options: SelectionOptions): PreviewOptions {
	const { conflict, triggers, rename, parents } = options
	const selections = [
		options.run && { run: options.run },
		options.transaction && { transaction: options.transaction },
		options.change && { changes: options.change },
		options.table && ofTable(options.table, options),
		!options.table && options.from && { from: options.from, to: options.to },
	].filter((selection) => typeof selection === 'object')
	const [selection] = selections
	if (!selection || selections.length > 1) {
		throw new ReprieveError('INVALID', `${selections.length} selections were given, one is needed`, {
			hint: 'Give one of --run, --transaction, --change, --table, --from.',
		})
	}
	return { selection, conflict, triggers, rename, parents }
}

function ofTable(table: string, { key, where, from, to }: SelectionOptions): Selection {
	return key ? { table, keys: key } : { table, where, from, to }
}
