import { transactionsTopic } from '@reprieve/cdc'
import { ReprieveError } from '@reprieve/contracts'
import {
	type EncodedFrame,
	FrameWriter,
	KafkaSink,
	NonceChain,
	Releases,
	Sender,
	type SpooledFrame,
	TableBuffer,
} from '@reprieve/sidecar/steps'
import type { VaultTable } from '@reprieve/vault'
import type { Broker } from './broker.ts'
import {
	type CaptureParts,
	config,
	type Lease,
	type Opened,
	type Stopping,
	silent,
	streamInto,
	underLease,
} from './capture.ts'
import { MappedRelations } from './mapped.ts'
import { openProducer } from './producer.ts'
import { lineageId } from './transaction.ts'

/** The channel of every frame. */
export const channel = { kind: 'frames' as const, epoch: 1, prefix: 'shop', partitions: 2 }

export const frameKey = new TextEncoder().encode('any key of at least thirty-two bytes')

/** Milliseconds between looks whether frames are asked for again. */
const heartbeatMs = 1_000

export type SendingParts = CaptureParts & { broker: Broker; maxRecordBytes: number }

/** One life of capture into Kafka, put together as its session does it. */
export async function sendLife(parts: SendingParts, stopping: Stopping): Promise<void> {
	await underLease(parts, async (lease, opened) => {
		const { world, process, control, vault } = parts
		const clock = world.clockOf(process)
		const topics = openTopics(parts)
		await topics.ensure(transactionsTopic(channel.prefix))
		const sender = new Sender(openProducer(parts), topics)
		const writer = openWriter(parts, opened)
		const spool = new Spool()
		const relations = new MappedRelations({
			tableOf: (name) => vault.table(name),
			openBuffer: async (label, table) => openFrameBuffer({ label, table, writer, spool }),
		})
		const { promise: asked, reject: ask } = Promise.withResolvers<never>()
		asked.catch(() => {})
		const { asksAgain } = control.recordsFor(process)
		const isAsked = await asksAgain()
		const endWatch = clock.every(heartbeatMs, () => {
			isAsked().then((again) => again && ask(new ReprieveError('UNAVAILABLE', 'sent again', { retryable: true })), ask)
		})
		try {
			await streamInto(parts, opened, {
				relations,
				openSink: (acknowledge, onFailure) => {
					asked.catch(onFailure)
					return new KafkaSink({
						...{ config, clock, lineage: lineageId, start: opened.confirmed, buffers: relations.buffers, lease },
						...{ writer, sender, spool, timers: [], log: silent, onFailure, onSent: () => {} },
						releases: openReleases(parts, { lease, opened, acknowledge }),
					})
				},
				until: stopping,
			})
		} finally {
			endWatch()
		}
	})
}

function openTopics({ world, process, broker, maxRecordBytes }: SendingParts) {
	const known = new Set<string>()
	return {
		maxRecordBytes,
		async ensure(topic: string) {
			if (known.has(topic)) return
			const partitions = topic === transactionsTopic(channel.prefix) ? 1 : channel.partitions
			await world.call(process, `make ${topic}`, () => broker.make(topic, partitions))
			known.add(topic)
		},
	}
}

function openWriter({ world, maxRecordBytes }: SendingParts, { confirmed: start }: Opened): FrameWriter {
	const { epoch, prefix, partitions } = channel
	return new FrameWriter({
		...{ database: 'shop', lineage: lineageId, epoch, prefix, partitions, session: world.newId() },
		...{ key: frameKey, maxRecordBytes, start },
	})
}

function openFrameBuffer(parts: { label: string; table: VaultTable; writer: FrameWriter; spool: Spool }) {
	const { label, table, writer, spool } = parts
	return new TableBuffer<SpooledFrame>(label, table, {
		...{ archived: 0n, known: new Map() },
		spill: async (versions) =>
			[...writer.rows(versions, { isUrgent: false, isSettled: false })].map((frame) => spool.put(frame)),
	})
}

function openReleases(
	{ world, process, vault, control }: SendingParts,
	{ lease, opened, acknowledge }: { lease: Lease; opened: Opened; acknowledge: (position: bigint) => void },
): Releases {
	return new Releases({
		...{ vault, lineage: lineageId, archived: opened.archived, everyMs: config.acknowledgeMs },
		...{ clock: world.clockOf(process), lease, acknowledge, log: silent, isBrokerTrusted: () => false },
		nonces: new NonceChain(control.portFor(process).recordNonce, vault, opened),
	})
}

/** What a transaction under way sets aside. */
class Spool {
	#frames: EncodedFrame[] = []

	put(frame: EncodedFrame): SpooledFrame {
		const { topic, partition, records } = frame
		return { topic, partition, at: this.#frames.push(frame) - 1, lengths: records.map(({ length }) => length) }
	}

	async get({ at }: SpooledFrame): Promise<EncodedFrame> {
		return this.#frames[at] as EncodedFrame
	}

	async clear(): Promise<void> {
		this.#frames = []
	}
}
