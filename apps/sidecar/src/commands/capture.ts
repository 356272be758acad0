import { join } from 'node:path'
import { openKafka } from '../kafka/client.ts'
import { startDrain, startKafkaCapture } from '../kafka/start.ts'
import { startSidecar } from '../start.ts'
import { type CommandInput, optionOf } from './command.ts'
import { processLog, untilStopped } from './follow.ts'
import { kafkaOf } from './kafka.ts'

/** `capture`: the log into the vault, or into Kafka. */
export async function captureCommand(input: CommandInput): Promise<void> {
	const { config, vault, options, onState } = input
	const sink = optionOf('sink', options.sink, ['vault', 'kafka'])
	if (sink === 'kafka') return await intoKafka(input, startKafkaCapture)
	await untilStopped(startSidecar(config.sidecar, { vault, log: processLog(config.logLevel), onState }))
}

/** `drain`: what is on its way through Kafka into the vault, so that changes may come another way from then on. */
export async function drainCommand(input: CommandInput): Promise<void> {
	await intoKafka(input, startDrain)
}

async function intoKafka(input: CommandInput, start: typeof startKafkaCapture): Promise<void> {
	const { config, vault, database, onState } = input
	const log = processLog(config.logLevel)
	const kafka = await kafkaOf(config, database)
	const spoolFolder = join(config.data, 'spool')
	const parts = { vault, log, onState, openKafka: () => openKafka(kafka, log) }
	await untilStopped(start({ sidecar: config.sidecar, kafka, spoolFolder }, parts))
}
