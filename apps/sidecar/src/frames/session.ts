import { transactionsTopic } from '@reprieve/cdc'
import type { Kafka } from 'kafkajs'
import { aborted, pause, type SessionOptions } from '../session.ts'
import type { Brokers } from './brokers.ts'
import { brokersOf } from './consumer.ts'
import { type Epoch, findEpoch } from './lineage.ts'
import { FramesReading, type ReadingOptions } from './reading.ts'
import { recordsIn } from './record.ts'
import { within } from './within.ts'

/** Milliseconds that brokers may take to say goodbye. */
const disconnectMs = 3_000

export type FramesSession = SessionOptions &
	Pick<ReadingOptions, 'frameKey' | 'lookMs' | 'watchMs' | 'patienceMs'> & { kafka: Kafka; group: string }

/**
 * One life of an archiver of frames: waits until capture has opened an epoch, joins the group and reads what it is given.
 * Resolves when the signal ends it, or when the epoch is over; throws what broke it.
 */
export async function runFramesSession(options: FramesSession): Promise<void> {
	const { kafka, group, config, control, signal, log } = options
	const admin = kafka.admin({ retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5 } })
	await admin.connect()
	try {
		const brokers = brokersOf(admin, { kafka, group, sessionMs: config.leaseMs })
		const found = await awaitTopics(options, brokers)
		if (!found) return
		const { promise: failed, reject: fail } = Promise.withResolvers<never>()
		failed.catch(() => {})
		const { promise: drained, resolve: end } = Promise.withResolvers<void>()
		const closed = (await options.vault.lineages()).flatMap(({ id, closedAt }) => (closedAt === undefined ? [] : [id]))
		const reading = new FramesReading(
			{ ...options, brokers, records: recordsIn(control) },
			{ ...found, closed: new Set(closed), fail, end },
		)
		try {
			await reading.start()
			options.onStreaming()
			await Promise.race([failed, drained, aborted(signal)])
		} finally {
			await reading.stop()
		}
	} finally {
		const disconnected = within(disconnectMs, 'disconnecting', admin.disconnect())
		await disconnected.catch((error) => log.debug({ err: error }, 'could not disconnect'))
	}
}

type Found = { epoch: Epoch; topics: ReadonlyMap<string, number> }

/** Polls for an epoch and its topics; undefined when the signal came first. */
async function awaitTopics(options: FramesSession, brokers: Brokers): Promise<Found | undefined> {
	const { signal, log, lookMs } = options
	for (let looks = 0; !signal.aborted; looks++) {
		const epoch = await findEpoch(options)
		const topics = epoch && (await brokers.topics(epoch.prefix))
		if (epoch && topics?.has(transactionsTopic(epoch.prefix))) return { epoch, topics }
		if (looks === 0) log.info({ epoch: epoch?.epoch }, 'waiting for capture to send frames')
		await pause(lookMs, signal)
	}
	return undefined
}
