import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { ReprieveError } from '@reprieve/contracts'
import postgres from 'postgres'
import { pinnedSettings, sessionSetup } from '../session.ts'
import { readFrame, type StreamFrame, statusUpdate } from './frame.ts'
import { restBetweenReads } from './rest.ts'
import { startCommand } from './slot.ts'

export type StreamOptions = {
	url: string
	slot: string
	publications: readonly string[]
	/** Called in stream order; the stream is paused while a returned promise is open. A throw ends the stream. */
	onFrame: (frame: StreamFrame) => Promise<unknown> | undefined
	/** Whether values come in the binary form of their types, where they have one. Default false: as text. */
	isBinary?: boolean
	/** Milliseconds between status updates, also while paused. Default 1000; below wal_sender_timeout. */
	statusIntervalMs?: number
}

/** An open replication stream. */
export type ReplicationStream = {
	/** What IDENTIFY_SYSTEM said on this connection. */
	identity: { systemIdentifier: string; timeline: number }
	/** Tells the server that everything before `position` is durable; it may forget it. Never goes back. */
	acknowledge(position: bigint): void
	/** Resolves when the stream was closed by us; rejects with what broke it. */
	ended: Promise<void>
	/** Sends the newest acknowledgement and hangs up. */
	close(): Promise<void>
}

/** Settings of the walsender: the pinned ones that concern text output. */
const walsenderSettings = {
	...Object.fromEntries(
		(
			[
				'search_path',
				'TimeZone',
				'DateStyle',
				'IntervalStyle',
				'extra_float_digits',
				'bytea_output',
				'lc_monetary',
			] as const
		).map((name) => [name, pinnedSettings[name]]),
	),
	client_encoding: 'UTF8',
}

/**
 * Streams from a durable slot, from where it stands. Nothing is acknowledged on receipt: only what {@link
 * ReplicationStream.acknowledge} names. Throws CONFLICT (retryable) while another process holds the slot.
 */
export async function openStream(options: StreamOptions): Promise<ReplicationStream> {
	const connection = postgres(options.url, {
		max: 1,
		fetch_types: false,
		idle_timeout: 0,
		max_lifetime: null,
		onnotice: () => {},
		setup: sessionSetup,
		onconnected: ({ socket }) => restBetweenReads(socket),
		connection: { application_name: 'reprieve capture', replication: 'database', ...walsenderSettings } as object,
	})
	try {
		return await withinPatience(async () => {
			const [system] = await connection.unsafe('IDENTIFY_SYSTEM').simple()
			const silenceMs = await readSilence(connection)
			const duplex = await startReplication(connection, options)
			const identity = { systemIdentifier: String(system?.systemid), timeline: Number(system?.timeline) }
			return { identity, ...follow(connection, duplex, { ...options, silenceMs }) }
		})
	} catch (error) {
		await connection.end({ timeout: 0 })
		throw error
	}
}

/** Milliseconds that a server may take to begin; one that was killed meanwhile may leave the question open for ever. */
const beginMs = 30_000

async function withinPatience<T>(begin: () => Promise<T>): Promise<T> {
	const { promise: late, reject } = Promise.withResolvers<never>()
	const timer = setTimeout(() => {
		reject(
			new ReprieveError('UNAVAILABLE', `the server has not begun to stream for ${beginMs} ms`, { retryable: true }),
		)
	}, beginMs)
	try {
		return await Promise.race([begin(), late])
	} finally {
		clearTimeout(timer)
	}
}

/**
 * Milliseconds without a byte after which a server that was asked for one counts as gone: as long as it waits for us.
 * In a large transaction of which nothing is published it answers after half of that.
 */
async function readSilence(connection: postgres.Sql): Promise<number> {
	const [row] = await connection.unsafe('SHOW wal_sender_timeout').simple()
	const [, count, unit = 'ms'] = /^(\d+)(ms|s|min|h|d)?$/.exec(String(row?.wal_sender_timeout)) ?? []
	return Number(count) * (unitMs[unit] ?? 1) || usualSilenceMs
}

/** Where the server waits for ever. */
const usualSilenceMs = 60_000

const unitMs: Record<string, number> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 }

async function startReplication(connection: postgres.Sql, options: StreamOptions): Promise<Duplex> {
	const command = startCommand(options.slot, options.publications, options.isBinary ?? false)
	try {
		return (await connection.unsafe(command).writable()) as Duplex
	} catch (error) {
		if ((error as { code?: string }).code !== '55006') throw error
		throw new ReprieveError('CONFLICT', `slot ${options.slot} is in use by another capture`, {
			retryable: true,
			cause: error,
		})
	}
}

function follow(
	connection: postgres.Sql,
	duplex: Duplex,
	options: StreamOptions & { silenceMs: number },
): Omit<ReplicationStream, 'identity'> {
	const { statusIntervalMs = 1000, silenceMs } = options
	let received = 0n
	let acknowledged = 0n
	let closing = false
	/** Status updates since the newest byte: counted, since a process that stood still has not listened either. */
	let unanswered = 0
	const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
	ended.catch(() => {})

	const sendStatus = () => {
		if (!duplex.writable) return
		duplex.write(statusUpdate(received, acknowledged, { nowMs: Date.now(), isReplyWanted: unanswered > 0 }))
	}
	const timer = setInterval(() => {
		sendStatus()
		if (duplex.isPaused()) return
		unanswered++
		if (unanswered * statusIntervalMs > silenceMs) fail(silent(silenceMs))
	}, statusIntervalMs)

	const fail = (error: unknown) => {
		clearInterval(timer)
		duplex.destroy()
		if (closing) resolve()
		else reject(error)
		void connection.end({ timeout: 0 })
	}
	duplex.on('error', fail)
	duplex.on('close', () => fail(new ReprieveError('UNAVAILABLE', 'the server closed the replication stream')))
	duplex.on('data', (bytes: Buffer) => {
		if (closing) return
		unanswered = 0
		try {
			const frame = readFrame(bytes)
			received = frame.kind === 'data' ? frame.position : frame.walEnd
			const handling = options.onFrame(frame)
			if (frame.kind === 'keepalive' && frame.replyRequested) sendStatus()
			if (handling === undefined) return
			duplex.pause()
			handling.then(() => {
				unanswered = 0
				duplex.resume()
			}, fail)
		} catch (error) {
			fail(error)
		}
	})

	return {
		ended,
		acknowledge(position) {
			if (position <= acknowledged) return
			acknowledged = position
			sendStatus()
		},
		async close() {
			closing = true
			clearInterval(timer)
			if (duplex.writable) {
				const sent = Promise.withResolvers<void>()
				const last = statusUpdate(received, acknowledged, { nowMs: Date.now(), isReplyWanted: false })
				duplex.write(last, () => sent.resolve())
				await Promise.race([sent.promise, delay(farewellMs, undefined, { ref: false })])
			}
			fail(undefined)
			await connection.end({ timeout: 1 })
		},
	}
}

/** Milliseconds that the newest acknowledgement may take to be on its way: a peer that is gone takes nothing. */
const farewellMs = 1_000

function silent(silenceMs: number): ReprieveError {
	return new ReprieveError('UNAVAILABLE', `the server has not answered on the replication stream for ${silenceMs} ms`, {
		hint: 'The connection may be half open: look at what lies between sidecar and server. It is opened anew.',
		retryable: true,
	})
}
