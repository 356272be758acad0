import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { createFrameReader, type Frame } from '@reprieve/cdc'
import {
	type KafkaConfig,
	openKafka,
	parseConfig,
	type Sidecar,
	type SidecarConfig,
	startDrain,
	startKafkaCapture,
} from '@reprieve/sidecar'
import type { Vault } from '@reprieve/vault'
import type { Kafka } from 'kafkajs'
import { pino } from 'pino'
import { type CaptureGround, captureGround } from '../capture/ground.ts'
import { sharedBroker } from '../support/kafka/shared.ts'
import { whenStreaming } from '../support/reprieve.ts'
import { until } from '../support/wait.ts'

/** A capture ground whose changes go through Kafka. */
export type KafkaGround = CaptureGround & {
	kafka: Kafka
	settings: KafkaConfig
	/** Warnings and errors of everything started here, as JSON lines. */
	warnings: string[]
	/** Starts capture into Kafka; waits until it streams. */
	capture(options?: CaptureStart): Promise<Sidecar>
	/** Empties Kafka into the vault; ends by itself. */
	drain(): Sidecar
	/** Every frame of a topic, from its beginning, in order. */
	frames(topic: string, partition?: number): Promise<Frame[]>
}

type CaptureStart = {
	sidecar?: Partial<SidecarConfig>
	kafka?: Partial<KafkaConfig>
	maxRecordBytes?: number
	/** Instead of the ground's own. */
	vault?: Vault
}

export async function kafkaGround(given?: { brokers: string[] }, cluster?: { url: string }): Promise<KafkaGround> {
	const { brokers } = given ?? (await sharedBroker())
	const ground = await captureGround(cluster)
	const warnings: string[] = []
	const log = pino({ level: process.env.CAPTURE_LOG ?? 'warn' }, { write: (line) => void warnings.push(line) })
	const prefix = ground.name
	const settings: KafkaConfig = {
		...{ brokers, tls: null, sasl: null, prefix, group: `${prefix}.archive`, partitions: 1, replication: undefined },
		...{ retentionMs: 3_600_000, acknowledge: 'vault', frameKey: randomBytes(32) },
	}
	const kafka = openKafka(settings, log)
	const parts = { vault: ground.vault, log, openKafka: (config: KafkaConfig) => openKafka(config, log) }
	const configOf = (options: CaptureStart = {}) => ({
		sidecar: parseConfig({
			...{ databaseUrl: ground.url, upkeepMs: 0, protectMs: 0, acknowledgeMs: 0, heartbeatMs: 100 },
			...options.sidecar,
		}),
		...{ kafka: { ...settings, ...options.kafka }, spoolFolder: tmpdir(), checkMs: 500 },
		maxRecordBytes: options.maxRecordBytes,
	})
	const running = new Set<Sidecar>()
	return {
		...ground,
		kafka,
		settings,
		warnings,
		async capture(options = {}) {
			const sidecar = await whenStreaming((onState) =>
				startKafkaCapture(configOf(options), { ...parts, ...(options.vault && { vault: options.vault }), onState }),
			)
			running.add(sidecar)
			return sidecar
		},
		drain: () => startDrain(configOf(), parts),
		frames: (topic, partition = 0) => readFrames(kafka, { topic, partition, key: settings.frameKey }),
		async [Symbol.asyncDispose]() {
			await Promise.all([...running].map((sidecar) => sidecar.stop()))
			await ground[Symbol.asyncDispose]()
		},
	}
}

async function readFrames(
	kafka: Kafka,
	{ topic, partition, key }: { topic: string; partition: number; key: Uint8Array },
): Promise<Frame[]> {
	const admin = kafka.admin()
	const consumer = kafka.consumer({ groupId: `read.${randomBytes(6).toString('hex')}`, maxWaitTimeInMs: 50 })
	const reader = createFrameReader({ key })
	const frames: Frame[] = []
	await Promise.all([admin.connect(), consumer.connect()])
	try {
		const place = (await admin.fetchTopicOffsets(topic)).find((one) => one.partition === partition)
		const end = BigInt(place?.high ?? 0)
		let next = BigInt(place?.low ?? 0)
		await consumer.subscribe({ topic, fromBeginning: true })
		await consumer.run({
			autoCommit: false,
			eachMessage: async ({ message, partition: from }) => {
				if (from !== partition) return
				const frame = message.value ? reader.read(message.value) : undefined
				if (frame) frames.push(frame)
				next = BigInt(message.offset) + 1n
			},
		})
		await until(() => next >= end, `the records of ${topic}`)
		return frames
	} finally {
		await Promise.all([consumer.disconnect(), admin.disconnect()])
	}
}
