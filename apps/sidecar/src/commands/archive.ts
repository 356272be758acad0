import { parseConnectUrl, startDebeziumArchive } from '../debezium/start.ts'
import { startFramesArchive } from '../frames/start.ts'
import { openKafka } from '../kafka/client.ts'
import { type CommandInput, optionOf } from './command.ts'
import { processLog, untilStopped } from './follow.ts'
import { kafkaOf } from './kafka.ts'

/** `archive`: what lies in Kafka into the vault. */
export async function archiveCommand({ config, vault, database, options, onState }: CommandInput): Promise<void> {
	const source = optionOf('source', options.source, ['frames', 'debezium'])
	const log = processLog(config.logLevel)
	const kafka = await kafkaOf(config, database)
	const { sidecar, skip } = config
	if (source === 'frames') {
		const parts = { vault, log, onState, openKafka: () => openKafka(kafka, log) }
		return await untilStopped(startFramesArchive({ sidecar, kafka }, parts))
	}
	const connectUrl = config.connectUrl === undefined ? undefined : parseConnectUrl(config.connectUrl)
	await untilStopped(startDebeziumArchive({ sidecar, kafka, connectUrl, skip }, { vault, log, onState }))
}
