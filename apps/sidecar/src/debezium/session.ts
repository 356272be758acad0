import { type Finding, formatLsn, parseLsn } from '@reprieve/contracts'
import { lineages } from '@reprieve/control'
import { ensureDebeziumPublication } from '@reprieve/postgres'
import { eq } from 'drizzle-orm'
import type { Kafka } from 'kafkajs'
import { Archive } from '../archive/loop.ts'
import { openBuffer } from '../archive/open-buffer.ts'
import { recordArchived, recordGap, recordIncident, recordNonce } from '../archive/record.ts'
import { watchFindings } from '../archive/watch-findings.ts'
import { Assembler } from '../capture/assemble.ts'
import { KeyRing } from '../capture/keys.ts'
import { appendOverwritten } from '../capture/overwrites.ts'
import { knownTransactions } from '../capture/redelivery.ts'
import { Relations } from '../capture/relations.ts'
import { makeIncident } from '../incident.ts'
import type { KafkaConfig } from '../kafka/config.ts'
import { enterChannel } from '../lineage/channel.ts'
import { takeLease } from '../lineage/lease.ts'
import { NonceChain } from '../lineage/nonce.ts'
import { findLineage, type Ground, type OpenLineage, openLineage } from '../lineage/open.ts'
import { aborted, beat, type SessionOptions } from '../session.ts'
import { Feed } from './feed.ts'
import { followTransactions, type Hole } from './follow.ts'
import { Reader } from './reader.ts'
import { Shapes } from './shapes.ts'

export type DebeziumSession = SessionOptions & {
	kafka: Kafka
	topics: KafkaConfig
	/** What is wrong with connector and cluster, looked for at intervals. */
	findings: () => Promise<Finding[]>
	findingsMs: number
	/** Records that an operator leaves out, as `topic:partition:offset`. */
	skip: ReadonlySet<string>
	topicsMs: number
	patienceMs: number
}

/**
 * One life of the archiver behind Debezium's connector: lineage, lease, topics, archive. Resolves when the signal ends
 * it; throws what broke it. Only the holder of the lease reads.
 */
export async function runDebeziumSession(options: DebeziumSession): Promise<void> {
	const { config, control, vault, log, owner, signal } = options
	const ground: Ground = { config, sql: options.sql, control, vault, isAcknowledgedElsewhere: true }
	await ensureDebeziumPublication(options.ownerSql)
	const named = await findLineage(ground)
	const lease = await takeLease({ vault, lineage: named, owner, ttlMs: config.leaseMs, signal })
	const { promise: failed, reject: fail } = Promise.withResolvers<never>()
	failed.catch(() => {})
	try {
		const opened = await openLineage(ground)
		const begunAt = await claimChannel(options, opened)
		await ensureDebeziumPublication(options.ownerSql)
		const reader = new Reader({
			...{ kafka: options.kafka, prefix: options.topics.prefix, group: options.topics.group },
			...{ bufferBytes: config.bufferBytes, topicsMs: options.topicsMs, skip: options.skip, log },
			...{ sessionMs: config.leaseMs, onFailure: fail },
		})
		try {
			const nonces = new NonceChain((id, nonce) => recordNonce(control, id, nonce), vault, opened)
			const recorded = await readRecorded(options, opened, nonces)
			const { archive, feed } = await openArchive(options, { opened, recorded, nonces, lease, reader, fail })
			await Promise.race([reader.start(), failed, aborted(signal)])
			const timers = [
				beat(options, archive, fail),
				watchFindings(options, options.findings, { everyMs: options.findingsMs, fail }),
			]
			options.onStreaming()
			const stopping = new AbortController()
			const following = followTransactions({
				...{ reader, feed, recorded, begunAt, patienceMs: options.patienceMs },
				signal: AbortSignal.any([signal, stopping.signal]),
				check: () => lease.check(),
				relief: () => archive.relief(),
				onTransaction: (end) => archive.keepalive(end),
				onHole: (hole) => recordHole(options, opened.lineage.id, hole),
			})
			try {
				await Promise.race([following, failed, aborted(signal)])
				await archive.drain()
			} finally {
				stopping.abort()
				for (const timer of timers) clearInterval(timer)
				await archive.stop()
				const left = following.catch((error) => log.debug({ err: error }, 'stopped following'))
				// It may wait for a consumer that hangs.
				await Promise.race([left, reader.stop()])
			}
		} finally {
			await reader.stop()
		}
	} finally {
		await lease.release()
	}
}

/**
 * From here on the gate wants the tables in the connector's publication; another source began a new epoch. Answers where
 * this one began.
 */
async function claimChannel({ control, vault, topics }: DebeziumSession, opened: OpenLineage): Promise<bigint> {
	const { from } = await enterChannel({ vault }, opened, { kind: 'debezium', prefix: topics.prefix })
	await control.db.update(lineages).set({ channel: 'debezium' }).where(eq(lineages.id, opened.lineage.id))
	return from === undefined ? opened.archived : parseLsn(from)
}

/**
 * Position up to which everything is in the vault and in the control schema: that of the newest acknowledgement. What
 * lies between it and the vault's end is fed again, since the control schema may lack it. A lineage's first life
 * acknowledges its beginning before it reads anything.
 */
async function readRecorded({ control }: DebeziumSession, opened: OpenLineage, nonces: NonceChain): Promise<bigint> {
	const { lineage, archived } = opened
	const [row] = await control.db.select({ at: lineages.nonceAt }).from(lineages).where(eq(lineages.id, lineage.id))
	if (row?.at !== null && row?.at !== undefined) return row.at
	await nonces.advance(archived)
	return archived
}

type Parts = {
	opened: OpenLineage
	recorded: bigint
	nonces: NonceChain
	lease: Awaited<ReturnType<typeof takeLease>>
	reader: Reader
	fail: (error: unknown) => void
}

async function openArchive(options: DebeziumSession, { opened, recorded, nonces, lease, reader, fail }: Parts) {
	const { config, sql, control, vault, log } = options
	const lineage = opened.lineage.id
	const keys = new KeyRing(vault)
	await keys.refresh()
	const checkRedelivery = await knownTransactions(vault, { ...opened, confirmed: recorded })
	const relations = new Relations({
		...{ sql, vault },
		openBuffer: (label, table) => openBuffer(label, table, { branch: opened.branch, from: recorded }),
	})
	const archive: Archive = new Archive({
		...{ config, vault, branch: opened.branch, archived: opened.archived, buffers: relations.buffers, lease, log },
		record: (transactions, standpoint) => recordArchived(control, transactions, { ...standpoint, state: 'streaming' }),
		nonces,
		acknowledge: (position) => void reader.commit(position).catch(fail),
		onFailure: fail,
	})
	const assembler: Assembler = new Assembler({
		...{ relations, branch: opened.branch, archived: opened.archived, relief: () => archive.relief() },
		messages: {
			...{ lineage, keys, log },
			overwritten: (images) => appendOverwritten({ sql, relations, assembler }, images),
		},
		onCommit(transaction) {
			checkRedelivery(transaction)
			archive.add(transaction)
		},
	})
	return { archive, feed: new Feed({ assembler, relations, shapes: new Shapes(sql, vault) }) }
}

async function recordHole({ control }: DebeziumSession, lineage: string, hole: Hole): Promise<void> {
	await recordGap(control.db, { lineage, ...hole })
	await recordIncident(
		control.db,
		makeIncident({
			code: 'CAPTURE_GAP',
			message: `${hole.reason}: what was deleted from ${formatLsn(hole.from)} to ${formatLsn(hole.to)} may not be in the vault`,
			remedy:
				'Find out who deleted topics, records, the slot or the offsets of the connector; then resolve the incident (`pnpm reprieve incidents`): the gap stays on record.',
			position: hole.to,
			stopsCapture: false,
		}),
	)
}
