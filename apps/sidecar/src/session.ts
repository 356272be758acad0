import { ReprieveError } from '@reprieve/contracts'
import type { Control } from '@reprieve/control'
import { openStream, publicationNames, type Sql, type StreamFrame } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import { Archive } from './archive/loop.ts'
import { recordChannel, recordStandpoint } from './archive/record.ts'
import { Assembler } from './capture/assemble.ts'
import { KeyRing } from './capture/keys.ts'
import { appendOverwritten } from './capture/overwrites.ts'
import { knownTransactions } from './capture/redelivery.ts'
import { Relations } from './capture/relations.ts'
import { streamFailure } from './capture/undecodable.ts'
import type { SidecarConfig } from './config.ts'
import { takeLease } from './lineage/lease.ts'
import { NonceChain } from './lineage/nonce.ts'
import { findLineage, openLineage } from './lineage/open.ts'

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
}

/** Insert, and what may stand before one (relation, type, origin): the row deleted before must still be at hand. */
const insertKinds = new Set([...'IRYO'].map((kind) => kind.charCodeAt(0)))

/**
 * One life of capture: lineage, lease, stream, archive. Resolves when the signal ends it; throws what broke it. It
 * holds nothing that a later one would need: everything is read from vault and database again.
 */
export async function runSession(options: SessionOptions): Promise<void> {
	const { config, sql, control, vault, log, owner, signal } = options
	const named = await findLineage(options)
	const lease = await takeLease({ vault, lineage: named, owner, ttlMs: config.leaseMs, signal })
	try {
		const opened = await openLineage(options)
		const lineage = opened.lineage.id
		if (lineage !== named) {
			throw new ReprieveError('CONFLICT', `lineage ${lineage} was opened while ${named} was waited for`, {
				retryable: true,
			})
		}
		await recordChannel(control, lineage)
		const keys = new KeyRing(vault)
		await keys.refresh()
		const checkRedelivery = await knownTransactions(vault, opened)
		const { promise: failed, reject: fail } = Promise.withResolvers<never>()
		failed.catch(() => {})

		const relations = new Relations({ sql, vault, lineage, from: opened.confirmed })
		const archive = new Archive({
			config,
			control,
			vault,
			lineage,
			archived: opened.archived,
			buffers: relations.buffers,
			lease,
			nonces: new NonceChain(control, vault, opened.lineage),
			log,
			acknowledge: (position) => stream?.acknowledge(position),
			onFailure: fail,
		})
		const assembler: Assembler = new Assembler({
			relations,
			relief: () => archive.relief(),
			timeline: opened.timeline,
			archived: opened.archived,
			messages: {
				lineage,
				keys,
				log,
				overwritten: (images) => appendOverwritten({ sql, relations, assembler }, images),
			},
			onCommit(transaction) {
				checkRedelivery(transaction)
				archive.add(transaction)
			},
		})
		const onFrame = makeFrameHandler({ archive, assembler, reliefBytes: config.bufferBytes / 8, signal })
		const stream = await openStream({
			url: config.databaseUrl,
			slot: opened.slot,
			publications: publicationNames,
			onFrame,
		})
		const heartbeat = beat(options, archive, fail)
		options.onStreaming()
		try {
			await Promise.race([stream.ended, failed, aborted(signal)])
			await archive.drain()
		} catch (error) {
			throw streamFailure(error, archive.standpoint.received)
		} finally {
			clearInterval(heartbeat)
			await archive.stop()
			await stream.close()
		}
	} finally {
		await lease.release()
	}
}

/** Frames in order; answers a promise when the stream must wait for memory, catalog or keys, or for ever. */
function makeFrameHandler(parts: { archive: Archive; assembler: Assembler; reliefBytes: number; signal: AbortSignal }) {
	const { archive, assembler, reliefBytes, signal } = parts
	let bytesSince = 0
	return (frame: StreamFrame): Promise<unknown> | undefined => {
		if (signal.aborted) return new Promise(() => {})
		if (frame.kind === 'keepalive') {
			if (!assembler.isOpen) archive.keepalive(frame.walEnd)
			return undefined
		}
		const { payload } = frame
		bytesSince += payload.length
		if (bytesSince <= reliefBytes || insertKinds.has(payload[0] as number)) return assembler.handle(payload)
		bytesSince = 0
		const relief = archive.relief()
		return relief === undefined ? assembler.handle(payload) : relief.then(() => assembler.handle(payload))
	}
}

/** Writes where capture stands at every heartbeat. */
export function beat(
	{ config, control }: Pick<SessionOptions, 'config' | 'control'>,
	archive: Archive,
	fail: (error: unknown) => void,
): NodeJS.Timeout {
	let isBusy = false
	const write = () => {
		if (isBusy) return
		isBusy = true
		recordStandpoint(control, { ...archive.standpoint, state: 'streaming' })
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
