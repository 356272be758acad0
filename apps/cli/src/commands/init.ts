import { quoteIdentifier } from '@reprieve/contracts'
import { Command } from 'commander'
import type { Io } from '../io.ts'

type Options = { database: string; prefix: string; schema: string }

/** `reprieve init`: prints the roles and grants that a database's owner applies before the first start. Needs no service. */
export function initCommand(io: Io): Command {
	return new Command('init')
		.description('print the SQL that makes the database roles; apply it with psql as a superuser')
		.requiredOption('--database <name>')
		.option('--schema <name>', 'where the tables to clean up are', 'public')
		.option('--prefix <name>', 'of the role names', 'reprieve')
		.action((options: Options) => {
			for (const line of grants(options)) io.out(line)
		})
}

/** One role each for planning, deleting, restoring and capturing, with no more than each needs. */
function grants({ database, schema, prefix }: Options): string[] {
	const role = (name: string) => quoteIdentifier(`${prefix}_${name}`)
	const into = quoteIdentifier(schema)
	const all = ['planner', 'deleter', 'restorer', 'capture']
	return [
		...all.map((name) => `create role ${role(name)} login bypassrls${name === 'capture' ? ' replication' : ''};`),
		...all.map((name) => `grant connect on database ${quoteIdentifier(database)} to ${role(name)};`),
		...all.map((name) => `grant usage on schema ${into} to ${role(name)};`),
		`grant select on all tables in schema ${into} to ${role('planner')}, ${role('capture')};`,
		`grant select, update, delete on all tables in schema ${into} to ${role('deleter')};`,
		`grant select, insert, update, delete on all tables in schema ${into} to ${role('restorer')};`,
		`grant usage, update on all sequences in schema ${into} to ${role('restorer')};`,
		`grant set on parameter session_replication_role to ${role('restorer')};`,
		`create schema if not exists reprieve;`,
		...all.map((name) => `grant usage, create on schema reprieve to ${role(name)};`),
		...all.map((name) => `alter default privileges in schema reprieve grant all on tables to ${role(name)};`),
	]
}
