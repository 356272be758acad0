import type { ProtectOutput } from '@reprieve/client'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { collect, parseCount } from '../options/parse.ts'

type Options = { truncate?: 'refuse' | 'archive'; acknowledge?: string[]; dryRun?: boolean; wait: number }

/** `reprieve protect`: guarantees that deletes of tables can be taken back. */
export function protectCommand(io: Io): Command {
	return new Command('protect')
		.description('guarantee that every delete on tables can be taken back')
		.argument('<tables...>')
		.option('--truncate <how>', 'refuse (default) TRUNCATE, or archive its rows first')
		.option('--acknowledge <code>', 'accept a finding by its code', collect(String))
		.option('--dry-run', 'show what would change, change nothing')
		.option('--wait <seconds>', 'wait so long for the tables to be ready', parseCount, 30)
		.action(
			withSession(io, async ({ client, show }, tables: string[], options: Options) => {
				const { truncate, acknowledge, dryRun, wait } = options
				show(await client.tables.protect({ tables, truncate, acknowledge, dryRun, wait }), protectedLines)
			}),
		)
}

/** Each table with its gate, its findings with their remedies, and what would change. */
export function protectedLines({ tables }: ProtectOutput): string[] {
	return tables.flatMap(({ table, restorability, changes }) => [
		`${table} is ${restorability.status}`,
		...restorability.findings.map(({ message, remedy }) => `  ${message}. ${remedy}`),
		...(changes ?? []).map((change) => `  would: ${change}`),
	])
}
