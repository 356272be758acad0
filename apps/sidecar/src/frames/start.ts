import type { SidecarConfig } from '../config.ts'
import type { KafkaConfig } from '../kafka/config.ts'
import type { KafkaParts } from '../kafka/start.ts'
import { type Sidecar, startSessions } from '../start.ts'
import { runFramesSession } from './session.ts'

export type FramesConfig = {
	sidecar: SidecarConfig
	kafka: KafkaConfig
	/** Milliseconds between looks for new topics, for parked records and for the epoch's end. Default 1,000. */
	lookMs?: number
	/** Milliseconds that records may lie unread, or brokers silent, before reading starts anew. Default 60,000. */
	watchMs?: number
	/** Milliseconds that rows of a transaction which capture sent may stay away before they are asked for. Default 10,000. */
	patienceMs?: number
}

/**
 * Archives what own capture sends to Kafka, until stopped; any number of them share the work. What it cannot be sure of
 * stops it, with an incident. The control schema must be migrated.
 */
export function startFramesArchive(config: FramesConfig, parts: KafkaParts): Sidecar {
	const kafka = parts.openKafka(config.kafka)
	const { group, frameKey } = config.kafka
	const { lookMs = 1_000, watchMs = 60_000, patienceMs = 10_000 } = config
	return startSessions(config.sidecar, parts, {
		runOne: (session) => runFramesSession({ ...session, kafka, group, frameKey, lookMs, watchMs, patienceMs }),
		duties: ['vault'],
		isCapture: false,
	})
}
