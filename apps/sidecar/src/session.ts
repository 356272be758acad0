import { setTimeout } from 'node:timers/promises'
import { ReprieveError } from '@reprieve/contracts'
import type { Control } from '@reprieve/control'
import { openStream, publicationNames, type ReplicationStream, type Sql, type StreamFrame } from '@reprieve/postgres'
import type { Vault, VaultTable } from '@reprieve/vault'
import type { Logger } from 'pino'
import type { TableBuffer } from './archive/buffer.ts'
import { Archive } from './archive/loop.ts'
import { openBuffer } from './archive/open-buffer.ts'
import { recordArchived, recordChannel, recordNonce, recordStandpoint } from './archive/record.ts'
import { Assembler } from './capture/assemble.ts'
import { KeyRing } from './capture/keys.ts'
import { appendOverwritten } from './capture/overwrites.ts'
import { knownTransactions } from './capture/redelivery.ts'
import { Relations } from './capture/relations.ts'
import type { ChangeSink } from './capture/sink.ts'
import { Transcriber } from './capture/transcribe.ts'
import { ReadAgain, streamFailure } from './capture/undecodable.ts'
import type { SidecarConfig } from './config.ts'
import { enterChannel } from './lineage/channel.ts'
import { type Lease, takeLease } from './lineage/lease.ts'
import { NonceChain } from './lineage/nonce.ts'
import { findLineage, type Ground, type OpenLineage, openLineage } from './lineage/open.ts'

export type SessionOptions = {
	config: SidecarConfig
	sql: Sql
	/** Of the role that owns the tables. */
	ownerSql: Sql
	control: Control
	vault: Vault
	log: Logger
	/** Names this process in the lease. */
	owner: string
	signal: AbortSignal
	/** Called when the stream is open. */
	onStreaming: () => void
	/** A change that the server cannot write as text: its transaction is read in binary, and the life ends behind it. */
	unreadable?: bigint
}

/** Insert, and what may stand before one (relation, type, origin): the row deleted before must still be at hand. */
const insertKinds = new Set([...'IRYO'].map((kind) => kind.charCodeAt(0)))

/** What a life of capture holds while it has the lineage's lease. */
export type Held = { lease: Lease; opened: OpenLineage }

/** What a sink is opened with. */
export type SinkGround<Spilled> = Held & {
	buffers: ReadonlyMap<string, TableBuffer<Spilled>>
	nonces: NonceChain
	/** Lets the server forget everything before the position. */
	acknowledge: (position: bigint) => void
	/** Called once, with what ended the sink. */
	onFailure: (error: unknown) => void
}

/** Where a life of capture takes the changes. */
export type Target<Spilled> = {
	openBuffer: (label: string, table: VaultTable) => Promise<TableBuffer<Spilled>>
	openSink: (ground: SinkGround<Spilled>) => ChangeSink
	/** Ends the life as the session's own signal does. */
	until?: AbortSignal
	/** Called when the life ends in good order, after the sink was drained. */
	finish?: () => Promise<void>
}

/**
 * One life of capture: lineage, lease, stream, archive. Resolves when the signal ends it; throws what broke it. It
 * holds nothing that a later one would need: everything is read from vault and database again.
 */
export async function runSession(options: SessionOptions): Promise<void> {
	await underLease(options, options, async (held) => {
		const { config, control, vault, log } = options
		await enterChannel(options, held.opened, { kind: 'stream' })
		await recordChannel(control, held.opened.lineage.id)
		const { branch, confirmed: from } = held.opened
		await streamInto(options, held, {
			openBuffer: (label, table) => openBuffer(label, table, { branch, from }),
			openSink: ({ opened, ...ground }) =>
				new Archive({
					...{ config, vault, branch, archived: opened.archived, log, ...ground },
					record: (transactions, standpoint) =>
						recordArchived(control, transactions, { ...standpoint, state: 'streaming' }),
				}),
		})
	})
}

/** Takes the lineage's lease, opens the lineage under it, and gives the lease back at the end of `work`. */
export async function underLease(
	{ config, vault, owner, signal, log }: SessionOptions,
	ground: Ground,
	work: (held: Held) => Promise<void>,
): Promise<void> {
	const named = await findLineage(ground)
	const onWait = (held: unknown) => log.warn({ err: held }, 'another capture holds the lineage; this one waits')
	const lease = await takeLease({ vault, lineage: named, owner, ttlMs: config.leaseMs, signal, onWait })
	try {
		const opened = await openLineage(ground)
		if (opened.lineage.id !== named) {
			throw new ReprieveError('CONFLICT', `lineage ${opened.lineage.id} was opened while ${named} was waited for`, {
				retryable: true,
			})
		}
		await work({ lease, opened })
	} finally {
		await lease.release()
	}
}

/** Streams the log into a sink until the signal, or the target, ends it. Throws {@link ReadAgain} where text and binary take turns. */
export async function streamInto<Spilled>(options: SessionOptions, held: Held, target: Target<Spilled>): Promise<void> {
	const { config, sql, control, vault, log, signal, unreadable } = options
	const { opened } = held
	const lineage = opened.lineage.id
	const ending = target.until ? AbortSignal.any([signal, target.until]) : signal
	const keys = new KeyRing(vault)
	await keys.refresh()
	const checkRedelivery = await knownTransactions(vault, opened)
	const { promise: failed, reject: fail } = Promise.withResolvers<never>()
	failed.catch(() => {})
	const relations = new Relations({ sql, vault, openBuffer: target.openBuffer })
	/** Where the transaction that had to be read in binary ends; only once the slot is behind it can text go on. */
	let behind: bigint | undefined
	const { promise: binaryEnded, resolve: endBinary } = Promise.withResolvers<void>()
	const nonces = new NonceChain((id, nonce) => recordNonce(control, id, nonce), vault, opened)
	const acknowledging = acknowledgeOnceOpen()
	const sink = target.openSink({
		...{ ...held, buffers: relations.buffers, nonces },
		acknowledge(position) {
			acknowledging.acknowledge(position)
			if (behind !== undefined && position >= behind) endBinary()
		},
		onFailure: fail,
	})
	const assembler: Assembler = new Assembler({
		...{ relations, relief: () => sink.relief(), branch: opened.branch, archived: opened.archived },
		messages: {
			...{ lineage, keys, log },
			overwritten: (images) => appendOverwritten({ sql, relations, assembler }, images),
		},
		onCommit(transaction) {
			checkRedelivery(transaction)
			if (unreadable !== undefined && transaction.position > unreadable) behind ??= transaction.end
			sink.add(transaction)
		},
	})
	const parts = { sink, assembler, reliefBytes: config.bufferBytes / 8, signal: ending }
	const onFrame = makeFrameHandler(unreadable === undefined ? parts : inBinary(parts, { sql, unreadable }))
	let stream: ReplicationStream | undefined
	let heartbeat: NodeJS.Timeout | undefined
	try {
		stream = await openStream({
			...{ url: config.databaseUrl, slot: opened.slot, publications: publicationNames, onFrame },
			isBinary: unreadable !== undefined,
		})
		acknowledging.opened(stream)
		heartbeat = beat(options, sink, fail)
		options.onStreaming()
		await Promise.race([stream.ended, failed, aborted(ending), binaryEnded])
		await sink.drain()
		if (!ending.aborted) throw new ReadAgain()
		await target.finish?.()
	} catch (error) {
		throw streamFailure(error, { received: sink.standpoint.received, unreadable })
	} finally {
		clearInterval(heartbeat)
		try {
			await sink.stop()
		} finally {
			await stream?.close()
		}
	}
}

/** Acknowledges on a stream. What archivers of frames get done while it is being opened is said when it is open. */
export function acknowledgeOnceOpen() {
	let stream: Pick<ReplicationStream, 'acknowledge'> | undefined
	let early: bigint | undefined
	return {
		acknowledge(position: bigint): void {
			if (stream) stream.acknowledge(position)
			else early = position
		},
		opened(open: Pick<ReplicationStream, 'acknowledge'>): void {
			stream = open
			if (early !== undefined) open.acknowledge(early)
		},
	}
}

/** What frames are handed to. */
type FrameParts = {
	sink: Pick<ChangeSink, 'keepalive' | 'relief'>
	assembler: Pick<Assembler, 'isOpen' | 'handle'>
	reliefBytes: number
	signal: AbortSignal
}

/** The same for a stream in binary, whose rows come to the assembler later than their frames: relief is then asked for there. */
function inBinary(parts: FrameParts, { sql, unreadable }: { sql: Sql; unreadable: bigint }): FrameParts {
	const { sink, assembler } = parts
	const transcriber = new Transcriber({ sql, assembler, unreadable, relief: () => sink.relief() })
	const unrelieved = { keepalive: (position: bigint) => sink.keepalive(position), relief: () => undefined }
	return { ...parts, sink: unrelieved, assembler: transcriber }
}

/** Frames in order; answers a promise when the stream must wait for memory, catalog or keys, or for ever. */
export function makeFrameHandler(parts: FrameParts) {
	const { sink, assembler, reliefBytes, signal } = parts
	let bytesSince = 0
	return (frame: StreamFrame): Promise<unknown> | undefined => {
		if (signal.aborted) return new Promise(() => {})
		if (frame.kind === 'keepalive') {
			if (!assembler.isOpen) sink.keepalive(frame.walEnd)
			return undefined
		}
		const { payload } = frame
		bytesSince += payload.length
		if (bytesSince <= reliefBytes || insertKinds.has(payload[0] as number)) return assembler.handle(payload)
		bytesSince = 0
		const relief = sink.relief()
		return relief === undefined ? assembler.handle(payload) : relief.then(() => assembler.handle(payload))
	}
}

/** Writes where capture stands at every heartbeat. */
export function beat(
	{ config, control }: Pick<SessionOptions, 'config' | 'control'>,
	sink: Pick<ChangeSink, 'standpoint'>,
	fail: (error: unknown) => void,
): NodeJS.Timeout {
	let isBusy = false
	const write = () => {
		if (isBusy) return
		isBusy = true
		recordStandpoint(control, { ...sink.standpoint, state: 'streaming' })
			.catch(fail)
			.finally(() => {
				isBusy = false
			})
	}
	write()
	return setInterval(write, config.heartbeatMs)
}

/** Resolves when the signal ends the session. */
export function aborted(signal: AbortSignal): Promise<void> {
	if (signal.aborted) return Promise.resolve()
	return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Resolves after `ms`, or when the signal ends the session. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
	await setTimeout(ms, undefined, { signal }).catch(() => {})
}
