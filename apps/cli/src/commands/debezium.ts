import { connectorConfig, ReprieveError } from '@reprieve/contracts'
import { Command } from 'commander'
import { openClient } from '../connection.ts'
import type { Io } from '../io.ts'
import { parseCount } from '../options/parse.ts'

type Options = {
	database?: string
	user: string
	slot?: string
	prefix?: string
	name?: string
	replication: number
	passwordFile: string
	url?: string
	keyFile?: string
}

/** `reprieve debezium config`: prints the connector that reprieve accepts as its source, ready to post to Kafka Connect. */
export function debeziumCommand(io: Io): Command {
	const config = new Command('config')
		.description('print the connector, ready to post to Kafka Connect; its password is a placeholder')
		.option('--database <url>', 'address of the database, without password (DATABASE_URL)')
		.option('--user <name>', 'role of the connector', 'reprieve_capture')
		.option('--slot <name>', 'replication slot (asked of the service)')
		.option('--prefix <prefix>', 'topic.prefix (REPRIEVE_KAFKA_PREFIX, reprieve.<database>)')
		.option('--name <name>', 'of the connector (the prefix)')
		.option('--replication <count>', 'replicas of the topics that Connect makes', parseCount, 3)
		.option(
			'--password-file <path>',
			'file, where Kafka Connect runs, that has a line database.password=...',
			'/run/secrets/reprieve.properties',
		)
		.action(async (_: unknown, command: Command) => {
			io.out(JSON.stringify(await printed(command.optsWithGlobals<Options>(), io), null, 2))
		})
	return new Command('debezium').description("use Debezium's connector as the source").addCommand(config)
}

async function printed(options: Options, io: Io) {
	const address = parseAddress(options.database ?? io.env.DATABASE_URL)
	const database = decodeURIComponent(address.pathname.slice(1))
	const prefix = options.prefix ?? (io.env.REPRIEVE_KAFKA_PREFIX || defaultPrefix(database))
	return connectorConfig({
		name: options.name ?? prefix,
		host: address.hostname,
		port: Number(address.port || 5432),
		database,
		user: options.user,
		prefix,
		slot: options.slot ?? (await openClient(options, io).system.status()).capture.slot,
		replication: options.replication,
		passwordFile: options.passwordFile,
	})
}

function parseAddress(text: string | undefined): URL {
	const url = text && URL.canParse(text) ? new URL(text) : undefined
	if (url && /^postgres(ql)?:$/.test(url.protocol) && url.hostname && url.pathname.length > 1) return url
	throw new ReprieveError('INVALID', 'the address of the database is missing or none', {
		hint: 'Set DATABASE_URL, or say --database postgres://host:5432/database',
	})
}

function defaultPrefix(database: string): string {
	if (/^[A-Za-z0-9_-]+$/.test(database)) return `reprieve.${database}`
	throw new ReprieveError('INVALID', 'the name of the database cannot be part of a topic as it is', {
		hint: 'Say --prefix, or set REPRIEVE_KAFKA_PREFIX.',
	})
}
