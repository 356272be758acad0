import type { Role } from '@reprieve/client'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { type PageOptions, pageFrom, pageOptions } from '../options/page.ts'
import { parseNames } from '../options/parse.ts'
import { more, table } from '../show/table.ts'

/** `reprieve tokens`: API keys. */
export function tokensCommand(io: Io): Command {
	const tokens = new Command('tokens').description('make, list and revoke API keys')
	pageOptions(tokens.command('list', { isDefault: true })).action(
		withSession(io, async ({ client, show }, options: PageOptions) => {
			show(await client.tokens.list(pageFrom(options)), ({ items, next }) => [
				...table(
					['key', 'name', 'role', 'tables', 'made', 'revoked'],
					items.map((t) => [t.id, t.name, t.role, t.tables?.join(',') ?? 'all', t.createdAt, t.revokedAt ?? '']),
				),
				...more(next),
			])
		}),
	)
	tokens
		.command('create <name>')
		.description('the secret is shown this once')
		.requiredOption('--role <role>', 'viewer, operator, approver, admin')
		.option('--tables <tables>', 'only these', parseNames)
		.action(
			withSession(io, async ({ client, show }, name: string, options: { role: Role; tables?: string[] }) => {
				const { role, tables } = options
				show(await client.tokens.create({ name, role, tables }), ({ secret }) => [secret])
			}),
		)
	tokens.command('revoke <key>').action(
		withSession(io, async ({ client, show }, id: string) => {
			show(await client.tokens.revoke(id), ({ name }) => [`${name} is revoked`])
		}),
	)
	return tokens
}
