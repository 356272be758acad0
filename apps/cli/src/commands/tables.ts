import type { TableItem } from '@reprieve/client'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { type PageOptions, pageFrom, pageOptions } from '../options/page.ts'
import { more, table } from '../show/table.ts'

/** `reprieve tables`: what is protected, and whether its gate is open. */
export function tablesCommand(io: Io): Command {
	const command = new Command('tables').description('list protected tables, or show one').argument('[table]')
	return pageOptions(command).action(
		withSession(io, async ({ client, show }, name: string | undefined, options: PageOptions) => {
			if (name) return show(await client.tables.get(name), tableLines)
			show(await client.tables.list(pageFrom(options)), ({ items, next }) => [
				...table(['table', 'status', 'archived rows', 'gaps', 'protected since'], items.map(row)),
				...items.flatMap(findingLines),
				...more(next),
			])
		}),
	)
}

function row(item: TableItem): (string | number)[] {
	return [item.table, item.restorability.status, item.archivedRows, item.gaps.length, item.protectedSince ?? '']
}

function tableLines(item: TableItem): string[] {
	return [
		`${item.table} is ${item.restorability.status}, ${item.archivedRows} rows archived`,
		...findingLines(item),
		...item.gaps.map((gap) => `gap: ${gap.reason} (${gap.since ?? 'ever'} to ${gap.until ?? 'now'})`),
	]
}

function findingLines({ table, restorability }: TableItem): string[] {
	return restorability.findings.map(({ message, remedy }) => `${table}: ${message}. ${remedy}`)
}
