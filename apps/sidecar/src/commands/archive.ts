import { parseConnectUrl, startDebeziumArchive } from '../debezium/start.ts'
import { type CommandInput, optionOf } from './command.ts'
import { processLog, untilStopped } from './follow.ts'
import { kafkaOf } from './kafka.ts'

/** `archive`: what lies in Kafka into the vault. */
export async function archiveCommand({ config, vault, database, options }: CommandInput): Promise<void> {
	optionOf('source', options.source, ['debezium'])
	const log = processLog(config.logLevel)
	const kafka = await kafkaOf(config, database)
	const connectUrl = config.connectUrl === undefined ? undefined : parseConnectUrl(config.connectUrl)
	await untilStopped(
		startDebeziumArchive({ sidecar: config.sidecar, kafka, connectUrl, skip: config.skip }, { vault, log }),
	)
	// KafkaJS may leave connections behind when a consumer is stopped while it joins: they must not keep the process.
	setTimeout(() => process.exit(), exitMs).unref()
}

/** Milliseconds for what is still under way when everything has stopped. */
const exitMs = 2_000
