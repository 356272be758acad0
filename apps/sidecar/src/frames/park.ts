import { randomUUID } from 'node:crypto'
import { ReprieveError } from '@reprieve/contracts'
import type { Control } from '@reprieve/control'
import type { Sql } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { IHeaders, Kafka, KafkaMessage } from 'kafkajs'
import { parkedMark } from '../kafka/sources.ts'
import { findEpoch } from './lineage.ts'
import { poisonPlace } from './poison.ts'
import { findPoison, resolveIncident } from './record.ts'
import { parkedTopic } from './topics.ts'

/** A record that no archiver can take, and why it is put aside. */
export type ParkRequest = { topic: string; partition: number; offset: bigint; reason: string; principal: string }

export type ParkGround = { kafka: Kafka; sql: Sql; control: Control; vault: Vault }

/** Milliseconds that a record may take to be read. */
const readMs = 30_000

/** The parked copy is larger than the record: it says where that came from. */
const maxCopyBytes = 64 * 1024 * 1024

/**
 * Lets reading go on behind one record at which it stands: copies it to the topic of parked records, says so in the
 * vault's audit, and resolves its incident. What it may have held is missing then, which the frames behind it show.
 * Answers the topic of the copy; undefined where Kafka has the record no more. Throws CONFLICT where no archiver stands.
 */
export async function parkRecord(ground: ParkGround, request: ParkRequest): Promise<string | undefined> {
	const { kafka, control, vault } = ground
	const { topic, partition, offset, reason, principal } = request
	const epoch = await findEpoch(ground)
	if (!epoch) throw new ReprieveError('CONFLICT', 'the open lineage has no frames to archive')
	const incident = await findPoison(control, request, offset)
	if (!incident) throw nobodyThere(request)
	const message = await readRecord(kafka, request)
	const copy = message ? parkedTopic(epoch.prefix) : undefined
	if (message && copy) await putAside(kafka, copy, { message, ...request })
	const place = { lineage: epoch.lineage.id, epoch: epoch.epoch }
	const why = incident.message
	await vault.putAudit({ act: 'park', principal, ...place, topic, partition, offset: offset.toString(), reason, why })
	await vault.transactions.append({ source: parkedMark(place, request), position: offset, transactions: [] })
	await resolveIncident(control, incident.id, principal)
	return copy
}

function nobodyThere(request: ParkRequest): ReprieveError {
	return new ReprieveError('CONFLICT', `no archiver stands at ${poisonPlace(request, request.offset)}`, {
		hint: 'Park what an open incident POISON_RECORD names (`pnpm reprieve incidents`), as it names it.',
	})
}

/** One record; undefined when the partition has it no more. Throws UNAVAILABLE when nothing comes. */
async function readRecord(kafka: Kafka, { topic, partition, offset }: ParkRequest): Promise<KafkaMessage | undefined> {
	const admin = kafka.admin()
	await admin.connect()
	const groupId = `reprieve.park.${randomUUID()}`
	try {
		const ends = (await admin.fetchTopicOffsets(topic)).find((place) => place.partition === partition)
		if (!ends || offset < BigInt(ends.low) || offset >= BigInt(ends.high)) return undefined
		const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 })
		await consumer.connect()
		try {
			return await firstOf(consumer, { topic, partition, offset })
		} finally {
			await consumer.disconnect()
			await admin.deleteGroups([groupId])
		}
	} finally {
		await admin.disconnect()
	}
}

async function firstOf(
	consumer: ReturnType<Kafka['consumer']>,
	{ topic, partition, offset }: Pick<ParkRequest, 'topic' | 'partition' | 'offset'>,
): Promise<KafkaMessage | undefined> {
	const { promise: read, resolve, reject } = Promise.withResolvers<KafkaMessage | undefined>()
	const late = new ReprieveError('UNAVAILABLE', `${topic} was not read within ${readMs} ms`)
	const timer = setTimeout(() => reject(late), readMs)
	await consumer.subscribe({ topic, fromBeginning: true })
	await consumer.run({
		autoCommit: false,
		eachMessage: async ({ message, partition: from }) => {
			if (from === partition && BigInt(message.offset) >= offset)
				resolve(BigInt(message.offset) === offset ? message : undefined)
		},
	})
	consumer.seek({ topic, partition, offset: offset.toString() })
	try {
		return await read
	} finally {
		clearTimeout(timer)
	}
}

async function putAside(kafka: Kafka, copy: string, parked: ParkRequest & { message: KafkaMessage }): Promise<void> {
	const { message, topic, partition, offset, reason, principal } = parked
	const admin = kafka.admin()
	const producer = kafka.producer({ allowAutoTopicCreation: false })
	await Promise.all([admin.connect(), producer.connect()])
	try {
		await admin.createTopics({ topics: [{ topic: copy, numPartitions: 1, configEntries }], waitForLeaders: false })
		const headers: IHeaders = {
			...message.headers,
			'reprieve-topic': topic,
			'reprieve-partition': `${partition}`,
			'reprieve-offset': `${offset}`,
			'reprieve-reason': reason,
			'reprieve-principal': principal,
		}
		const { key, value } = message
		await producer.send({ topic: copy, acks: -1, messages: [{ key, value, headers }] })
	} finally {
		await Promise.all([producer.disconnect(), admin.disconnect()])
	}
}

const configEntries = [
	{ name: 'cleanup.policy', value: 'delete' },
	{ name: 'retention.ms', value: '-1' },
	{ name: 'max.message.bytes', value: `${maxCopyBytes}` },
]
