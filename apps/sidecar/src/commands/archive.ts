import { parseConnectUrl, startDebeziumArchive } from '../debezium/start.ts'
import { type CommandInput, optionOf } from './command.ts'
import { processLog, untilStopped } from './follow.ts'
import { kafkaOf } from './kafka.ts'

/** `archive`: what lies in Kafka into the vault. */
export async function archiveCommand({ config, vault, database, options, onState }: CommandInput): Promise<void> {
	optionOf('source', options.source, ['debezium'])
	const log = processLog(config.logLevel)
	const kafka = await kafkaOf(config, database)
	const connectUrl = config.connectUrl === undefined ? undefined : parseConnectUrl(config.connectUrl)
	const { sidecar, skip } = config
	await untilStopped(startDebeziumArchive({ sidecar, kafka, connectUrl, skip }, { vault, log, onState }))
}
