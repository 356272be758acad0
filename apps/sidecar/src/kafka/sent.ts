import { randomUUID } from 'node:crypto'
import { createFrameReader } from '@reprieve/cdc'
import type { Consumer, Kafka } from 'kafkajs'
import { readEnds } from '../frames/topics.ts'

/** Records of the topic of transactions that are looked at, from its end: more than one frame has parts, but for freaks. */
const recordsBack = 200n

export type SentQuestion = { kafka: Kafka; topic: string; key: Uint8Array; lineage: string }

/**
 * Position up to which a topic of transactions says that everything of the lineage was sent; undefined when its newest
 * records say nothing of it.
 */
export async function readSent({ kafka, topic, key, lineage }: SentQuestion): Promise<bigint | undefined> {
	const admin = kafka.admin()
	await admin.connect()
	try {
		const ends = (await readEnds(admin, topic)).get(0)
		if (!ends || ends.low >= ends.high) return undefined
		const from = ends.high - recordsBack > ends.low ? ends.high - recordsBack : ends.low
		const groupId = `${topic}.${randomUUID()}`
		const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 })
		await consumer.connect()
		try {
			return await newest(consumer, { topic, key, lineage, from, high: ends.high })
		} finally {
			await consumer.disconnect()
			await admin.deleteGroups([groupId]).catch(() => {})
		}
	} finally {
		await admin.disconnect()
	}
}

type Range = { topic: string; key: Uint8Array; lineage: string; from: bigint; high: bigint }

async function newest(consumer: Consumer, { topic, key, lineage, from, high }: Range): Promise<bigint | undefined> {
	const { promise, resolve, reject } = Promise.withResolvers<bigint | undefined>()
	const reader = createFrameReader({ key })
	let sent: bigint | undefined
	const take = (value: Uint8Array | null) => {
		try {
			const frame = value ? reader.read(value) : undefined
			if (frame?.kind === 'transactions' && frame.header.lineage === lineage) sent = frame.received
		} catch {
			// What is no frame of ours says nothing; the archivers judge it.
			reader.reset()
		}
	}
	consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
	await consumer.subscribe({ topic, fromBeginning: true })
	await consumer.run({
		autoCommit: false,
		eachMessage: async ({ message }) => {
			const offset = BigInt(message.offset)
			if (offset >= from && offset < high) take(message.value)
			if (offset >= high - 1n) resolve(sent)
		},
	})
	consumer.seek({ topic, partition: 0, offset: from.toString() })
	return await promise
}
