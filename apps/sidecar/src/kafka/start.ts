import type { Kafka } from 'kafkajs'
import type { SidecarConfig } from '../config.ts'
import type { SessionOptions } from '../session.ts'
import { type Sidecar, type SidecarParts, startSessions } from '../start.ts'
import type { KafkaConfig } from './config.ts'
import { type KafkaSession, runDrain, runKafkaSession } from './session.ts'

export type KafkaCaptureConfig = {
	sidecar: SidecarConfig
	kafka: KafkaConfig
	/** Folder for what outgrows memory; nothing stays in it. */
	spoolFolder: string
	/** Milliseconds between looks at the cluster. Default 10,000. */
	checkMs?: number
	/** Most bytes of one record. Default 900,000: below what a broker takes by default. */
	maxRecordBytes?: number
}

export type KafkaParts = SidecarParts & {
	/** A client for the brokers of the configuration. */
	openKafka: (config: KafkaConfig) => Kafka
}

/**
 * Follows the database's log into Kafka until stopped. As with capture into the vault, what breaks it is tried again, and
 * what it cannot be sure of stops it, with an incident. The control schema must be migrated.
 */
export function startKafkaCapture(config: KafkaCaptureConfig, parts: KafkaParts): Sidecar {
	return startSessions(config.sidecar, parts, {
		runOne: withKafka(config, parts, runKafkaSession),
		duties: ['protection'],
		isCapture: true,
	})
}

/** Empties the topics into the vault, so that another channel may be entered; ends by itself. Archivers must run. */
export function startDrain(config: KafkaCaptureConfig, parts: KafkaParts): Sidecar {
	const sidecar = startSessions(config.sidecar, parts, {
		runOne: withKafka(config, parts, async (session) => {
			await runDrain(session)
			void sidecar.stop()
		}),
		duties: [],
		isCapture: true,
	})
	return sidecar
}

function withKafka(
	{ kafka: settings, spoolFolder, checkMs = 10_000, maxRecordBytes = 900_000 }: KafkaCaptureConfig,
	parts: KafkaParts,
	run: (session: KafkaSession) => Promise<void>,
): (session: SessionOptions) => Promise<void> {
	const kafka = parts.openKafka(settings)
	return (session) => run({ ...session, kafka, settings, spoolFolder, checkMs, maxRecordBytes })
}
