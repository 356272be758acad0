import type { NamedPolicy } from '@reprieve/client'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { type PageOptions, pageFrom, pageOptions } from '../options/page.ts'
import { parseCount, parseJson } from '../options/parse.ts'
import { more, table } from '../show/table.ts'

/** `reprieve policies`: policies kept by name and version. */
export function policiesCommand(io: Io): Command {
	const policies = new Command('policies').description('list, show and keep policies by name')
	pageOptions(policies.command('list', { isDefault: true })).action(
		withSession(io, async ({ client, show }, options: PageOptions) => {
			show(await client.policies.list(pageFrom(options)), ({ items, next }) => [
				...table(
					['policy', 'version', 'kind', 'table', 'author'],
					items.map(({ name, version, policy, author }) => [name, version, policy.kind, policy.table, author]),
				),
				...more(next),
			])
		}),
	)
	policies
		.command('show <name>')
		.option('--version <version>', 'default: the newest', parseCount)
		.action(
			withSession(io, async ({ client, show }, name: string, { version }: { version?: number }) => {
				show(await client.policies.get(name, version), policyLines)
			}),
		)
	policies
		.command('put <name> <json>')
		.description('keep a new version; the policy as JSON, or @file')
		.action(
			withSession(io, async ({ client, show }, name: string, json: string) => {
				show(await client.policies.put(name, parseJson(json)), policyLines)
			}),
		)
	return policies
}

function policyLines({ name, version, policy }: NamedPolicy): string[] {
	return [`${name}@${version}`, JSON.stringify(policy, null, 2)]
}
