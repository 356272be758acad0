import { transactionsTopic } from '@reprieve/cdc'
import type { Admin, Kafka } from 'kafkajs'
import { aborted, pause, type SessionOptions } from '../session.ts'
import { type Epoch, findEpoch } from './lineage.ts'
import { FramesReading } from './reading.ts'
import { listFrameTopics } from './topics.ts'
import { within } from './within.ts'

/** Milliseconds that brokers may take to say goodbye. */
const disconnectMs = 3_000

export type FramesSession = SessionOptions & {
	kafka: Kafka
	group: string
	frameKey: Uint8Array
	/** Milliseconds between looks for new topics, for parked records, for the epoch's end. */
	lookMs: number
	/** Milliseconds that records may lie unread, or brokers silent, before reading starts anew. */
	watchMs: number
	/** Milliseconds that rows of an acknowledged transaction may take. */
	patienceMs: number
}

/**
 * One life of an archiver of frames: waits until capture has opened an epoch, joins the group and reads what it is given.
 * Resolves when the signal ends it, or when the epoch is over; throws what broke it.
 */
export async function runFramesSession(options: FramesSession): Promise<void> {
	const { kafka, signal, log } = options
	const admin = kafka.admin({ retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5 } })
	await admin.connect()
	try {
		const found = await awaitTopics(options, admin)
		if (!found) return
		const { promise: failed, reject: fail } = Promise.withResolvers<never>()
		failed.catch(() => {})
		const { promise: drained, resolve: end } = Promise.withResolvers<void>()
		const closed = (await options.vault.lineages()).flatMap(({ id, closedAt }) => (closedAt === undefined ? [] : [id]))
		const reading = new FramesReading(options, { admin, ...found, closed: new Set(closed), fail, end })
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
async function awaitTopics(options: FramesSession, admin: Admin): Promise<Found | undefined> {
	const { signal, log, lookMs } = options
	for (let looks = 0; !signal.aborted; looks++) {
		const epoch = await findEpoch(options)
		const topics = epoch && (await listFrameTopics(admin, epoch.prefix))
		if (epoch && topics?.has(transactionsTopic(epoch.prefix))) return { epoch, topics }
		if (looks === 0) log.info({ epoch: epoch?.epoch }, 'waiting for capture to send frames')
		await pause(lookMs, signal)
	}
	return undefined
}
