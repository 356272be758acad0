import { parseArgs } from 'node:util'
import { ReprieveError } from '@reprieve/contracts'
import { type ProcessConfig, readConfig } from '../config.ts'
import { serveHealth } from '../health.ts'
import { adoptCommand } from './adopt.ts'
import { archiveCommand } from './archive.ts'
import { captureCommand, drainCommand } from './capture.ts'
import { parkCommand } from './park.ts'
import { openVaultOf } from './vault.ts'

const help = `pnpm --filter @reprieve/sidecar start [command]

capture [--sink vault|kafka]        follows DATABASE_URL (REPRIEVE_CAPTURE_URL) into REPRIEVE_VAULT (the default), or into Kafka
archive [--source frames|debezium]  takes to REPRIEVE_VAULT what own capture (the default) or Debezium's connector wrote to Kafka
drain                               empties Kafka into the vault, with archivers running, so that changes may come another way; ends then
park --topic T --partition P --offset O --reason TEXT
                                    puts one record aside at which archive stands, so that it goes on behind it; ends then
adopt                               leaves the lineage that capture cannot continue, records the gap, and opens a new one; ends then

capture and archive end with SIGTERM, and by themselves when only an operator can help. Kafka is reached by KAFKA_BROKERS.`

const commands = {
	capture: captureCommand,
	archive: archiveCommand,
	drain: drainCommand,
	park: parkCommand,
	adopt: adoptCommand,
}

const string = { type: 'string' } as const
const parkOptions = { topic: string, partition: string, offset: string, reason: string }

/** Runs one command of the sidecar to its end. Throws INVALID for one that does not exist. */
export async function runCommand(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
	const { values, positionals } = parse(args)
	if (values.help) return say(help)
	const [name = 'capture', ...rest] = positionals
	const command = rest.length === 0 && Object.hasOwn(commands, name) ? commands[name as keyof typeof commands] : null
	if (!command) throw unknown(args)
	const config: ProcessConfig = readConfig(env)
	await using opened = new AsyncDisposableStack()
	const health = config.healthPort === undefined ? undefined : await serveHealth(config.healthPort)
	opened.defer(() => health?.close())
	const { vault, database } = await openVaultOf(config)
	opened.defer(() => vault.close())
	await command({ config, vault, database, options: values, onState: health?.onState, say })
}

function parse(args: string[]) {
	try {
		return parseArgs({
			args,
			allowPositionals: true,
			options: { help: { type: 'boolean' }, sink: string, source: string, ...parkOptions },
		})
	} catch {
		throw unknown(args)
	}
}

function unknown(args: string[]): ReprieveError {
	return new ReprieveError('INVALID', `"${args.join(' ')}" is no command`, { hint: help })
}

function say(line: string): void {
	process.stdout.write(`${line}\n`)
}
