import kafkajs, { type Kafka, type Producer, type TopicMessages } from 'kafkajs'
import type { Topics } from './topics.ts'
import type { EncodedFrame } from './writer.ts'

/** Bytes that wait before a request goes. */
const requestBytes = 8 * 1024 * 1024

type Lane = { topic: string; partition: number; records: Uint8Array[] }

/** Takes records to the brokers, once and in order for as long as it lives. */
export type FrameProducer = Pick<Producer, 'connect' | 'sendBatch' | 'disconnect'>

export function openProducer(kafka: Kafka): FrameProducer {
	return kafka.producer({
		...{ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false },
		// A topic that is gone would hold up all others: the next session makes it again.
		retry: { retries: 8 },
	})
}

/** Sends frames in order, several partitions at once; every record is acknowledged by all in-sync replicas. */
export class Sender {
	readonly #producer: FrameProducer
	readonly #topics: Pick<Topics, 'ensure' | 'maxRecordBytes'>
	readonly #lanes = new Map<string, Lane>()
	#bytes = 0

	constructor(producer: FrameProducer, topics: Pick<Topics, 'ensure' | 'maxRecordBytes'>) {
		this.#topics = topics
		this.#producer = producer
	}

	async connect(): Promise<void> {
		await this.#producer.connect()
	}

	/** Puts a frame behind those of its partition; resolves when there is room for more. */
	async send({ topic, partition, records }: EncodedFrame): Promise<void> {
		await this.#topics.ensure(topic)
		const key = `${topic}:${partition}`
		const lane = this.#lanes.get(key)
		if (lane) lane.records.push(...records)
		else this.#lanes.set(key, { topic, partition, records: [...records] })
		for (const record of records) this.#bytes += record.length
		while (this.#bytes > requestBytes) await this.#request()
	}

	/** Resolves when everything is acknowledged. */
	async flush(): Promise<void> {
		while (this.#lanes.size > 0) await this.#request()
	}

	async close(): Promise<void> {
		await this.#producer.disconnect()
	}

	async #request(): Promise<void> {
		const byTopic = new Map<string, TopicMessages>()
		let left = requestBytes
		for (const [key, lane] of [...this.#lanes]) {
			const records = takeBatch(lane.records, this.#topics.maxRecordBytes)
			if (lane.records.length === 0) this.#lanes.delete(key)
			const messages = records.map((value) => ({ value: asBuffer(value), partition: lane.partition }))
			const known = byTopic.get(lane.topic)
			if (known) known.messages.push(...messages)
			else byTopic.set(lane.topic, { topic: lane.topic, messages })
			const bytes = records.reduce((sum, record) => sum + record.length, 0)
			this.#bytes -= bytes
			left -= bytes
			if (left <= 0) break
		}
		const compression = kafkajs.CompressionTypes.ZSTD
		await this.#producer.sendBatch({ acks: -1, compression, topicMessages: [...byTopic.values()] })
	}
}

/** The first records that fit one batch, which the broker limits as it does one record; removed from `records`. */
function takeBatch(records: Uint8Array[], batchBytes: number): Uint8Array[] {
	let bytes = 0
	const end = records.findIndex((record, at) => {
		bytes += record.length
		return at > 0 && bytes > batchBytes
	})
	return records.splice(0, end < 0 ? records.length : end)
}

function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
