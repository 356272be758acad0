import { randomUUID } from 'node:crypto'
import { transactionsTopic } from '@reprieve/cdc'
import { type Finding, formatLsn, messagePrefix, parseLsn } from '@reprieve/contracts'
import type { Channel, VaultTable } from '@reprieve/vault'
import type { Kafka } from 'kafkajs'
import { TableBuffer } from '../archive/buffer.ts'
import { recordChannel } from '../archive/record.ts'
import { watchFindings } from '../archive/watch-findings.ts'
import { channelOf, enterChannel, isDrained, isSameChannel, type WantedChannel } from '../lineage/channel.ts'
import { openLineage, recordSlotGap } from '../lineage/open.ts'
import {
	type Held,
	pause,
	type SessionOptions,
	type SinkGround,
	streamInto,
	type Target,
	underLease,
} from '../session.ts'
import { watchProtected } from './ahead.ts'
import { type ClusterVerdict, checkCluster } from './check.ts'
import type { KafkaConfig } from './config.ts'
import { watchHoles } from './holes.ts'
import { Releases } from './releases.ts'
import { openProducer, Sender } from './sender.ts'
import { readSent } from './sent.ts'
import { KafkaSink } from './sink.ts'
import { Spool, type SpooledFrame } from './spool.ts'
import { Topics } from './topics.ts'
import { FrameWriter } from './writer.ts'

export type KafkaSession = SessionOptions & {
	kafka: Kafka
	settings: KafkaConfig
	/** Folder for what outgrows memory. */
	spoolFolder: string
	/** Milliseconds between looks at the cluster. */
	checkMs: number
	/** Most bytes of one record. */
	maxRecordBytes: number
}

/** Milliseconds between looks whether the archivers have taken an epoch's last word. */
const drainedMs = 250

/** One life of capture into Kafka. What another channel was sent before is drained first. */
export async function runKafkaSession(options: KafkaSession): Promise<void> {
	const { settings } = options
	const wanted: WantedChannel = { kind: 'frames', prefix: settings.prefix, partitions: settings.partitions }
	await underLease(options, options, async (held) => {
		const current = await drainOthers(options, held, (channel) => isSameChannel(channel, wanted))
		if (options.signal.aborted) return
		const channel = await enterChannel(options, current.opened, wanted)
		await streamFrames(options, current, channel)
	})
}

/** Sends what the log has, then the last word of the epoch, and waits until the archivers have all of it. */
export async function runDrain(options: KafkaSession): Promise<void> {
	await underLease(options, options, async (held) => {
		await drainOthers(options, held, () => false)
	})
}

async function drainOthers(options: KafkaSession, held: Held, isWanted: (channel: Channel) => boolean): Promise<Held> {
	const { vault, signal, log } = options
	const channel = channelOf(held.opened)
	const { id } = held.opened.lineage
	if (isWanted(channel) || (await isDrained(vault, id, channel))) return held
	log.info({ channel }, 'draining what was sent before')
	await streamFrames(options, held, channel, { isFinal: true })
	while (!signal.aborted && !(await isDrained(vault, id, channel))) await pause(drainedMs, signal)
	return { ...held, opened: await openLineage(options) }
}

/** What a life in the topics of one channel holds. */
type Topical = { channel: Channel; topics: Topics; sender: Sender; spool: Spool; verdict?: ClusterVerdict }

/** Streams into the topics of a channel until the signal ends it; a final one ends by itself, when it has caught up. */
async function streamFrames(
	options: KafkaSession,
	held: Held,
	channel: Channel,
	{ isFinal = false }: { isFinal?: boolean } = {},
): Promise<void> {
	const { kafka, settings, control, spoolFolder, maxRecordBytes } = options
	const topic = transactionsTopic(channel.prefix ?? settings.prefix)
	const topics = new Topics(kafka, { ...settings, partitions: channel.partitions ?? 1, maxRecordBytes }, topic)
	const sender = new Sender(openProducer(kafka), topics)
	const topical: Topical = { channel, topics, sender, spool: new Spool(spoolFolder) }
	await recordChannel(control, held.opened.lineage.id)
	try {
		await Promise.all([topics.connect(), topical.sender.connect()])
		await checkSent(options, held, topic)
		await streamInto(options, held, await targetOf(options, held, topical, isFinal))
	} finally {
		await Promise.allSettled([topical.sender.close(), topics.close(), topical.spool.close()])
	}
}

/** What the slot let go and the vault has not must be in Kafka: else it is lost, and recorded so. */
async function checkSent({ kafka, control, settings }: KafkaSession, { opened }: Held, topic: string): Promise<void> {
	const { lineage, archived, confirmed: to, slot } = opened
	if (to <= archived) return
	const sent = await readSent({ kafka, topic, key: settings.frameKey, lineage: lineage.id })
	if (sent !== undefined && sent >= to) return
	const from = sent !== undefined && sent > archived ? sent : archived
	const reason = `slot ${slot} stood at ${formatLsn(to)}, Kafka and the vault ended at ${formatLsn(from)}`
	await recordSlotGap({ control }, { lineage: lineage.id, from, to, reason })
}

async function targetOf(
	options: KafkaSession,
	held: Held,
	topical: Topical,
	isFinal: boolean,
): Promise<Target<SpooledFrame>> {
	const { config, log, signal, checkMs } = options
	const { sender, spool, topics, channel } = topical
	const prefix = channel.prefix ?? options.settings.prefix
	const { confirmed: start } = held.opened
	const writer = openWriter(options, held, topical)
	const askedAgain = await watchHoles(options)
	const end = isFinal ? await readLogEnd(options) : undefined
	const caughtUp = new AbortController()
	let sink: KafkaSink | undefined
	return {
		openBuffer: async (label, table) => openFrameBuffer({ label, table, writer, spool }),
		openSink(ground) {
			const { onFailure: fail, buffers, lease, opened } = ground
			sink = new KafkaSink({
				...{ config, lineage: opened.lineage.id, start, buffers, lease, writer, sender, spool, log },
				releases: openReleases(options, ground, topical),
				timers: [
					watchFindings(options, () => look(options, topical), { everyMs: checkMs, fail }),
					askedAgain({ everyMs: config.heartbeatMs, fail }),
					...(isFinal ? [] : [watchProtected(options, { topics, prefix, everyMs: config.heartbeatMs })]),
				],
				onFailure: fail,
				onSent: (received) => end !== undefined && received >= end && caughtUp.abort(),
			})
			return sink
		},
		until: caughtUp.signal,
		finish: async () => {
			if (isFinal && !signal.aborted) await sink?.finish()
		},
	}
}

function openWriter({ vault, settings }: KafkaSession, { opened }: Held, { channel, topics }: Topical) {
	return new FrameWriter({
		...{ database: vault.database, lineage: opened.lineage.id, epoch: channel.epoch, session: randomUUID() },
		...{ prefix: channel.prefix ?? settings.prefix, partitions: channel.partitions ?? 1 },
		...{ key: settings.frameKey, maxRecordBytes: topics.maxRecordBytes, start: opened.confirmed },
	})
}

/** Nothing is skipped here for being in a table's log: the archivers know what each partition brought. */
function openFrameBuffer(parts: { label: string; table: VaultTable; writer: FrameWriter; spool: Spool }) {
	const { label, table, writer, spool } = parts
	return new TableBuffer<SpooledFrame>(label, table, {
		archived: 0n,
		known: new Map(),
		async spill(versions) {
			const spooled: SpooledFrame[] = []
			for (const frame of writer.rows(versions, { isUrgent: false, isSettled: false }))
				spooled.push(await spool.put(frame))
			return spooled
		},
	})
}

function openReleases(
	{ vault, config, settings, log }: KafkaSession,
	ground: SinkGround<SpooledFrame>,
	topical: Topical,
) {
	const { lease, nonces, acknowledge, opened } = ground
	return new Releases({
		...{ vault, lineage: opened.lineage.id, archived: opened.archived, everyMs: config.acknowledgeMs },
		...{ lease, nonces, acknowledge, log },
		isBrokerTrusted: () => settings.acknowledge === 'broker' && topical.verdict?.isReplicated === true,
	})
}

async function look({ kafka, settings }: KafkaSession, topical: Topical): Promise<Finding[]> {
	topical.verdict = await checkCluster(kafka, { ...settings, prefix: topical.channel.prefix ?? settings.prefix })
	return topical.verdict.findings
}

/** A position behind everything committed so far, and a transaction of ours that will lead the stream there. */
async function readLogEnd({ sql }: KafkaSession): Promise<bigint> {
	const [row] = await sql<{ lsn: string }[]>`select pg_current_wal_insert_lsn()::text as lsn`
	await sql`select pg_logical_emit_message(true, ${messagePrefix.barrier}, ${randomUUID()}::text)`
	return parseLsn(row?.lsn ?? '')
}
