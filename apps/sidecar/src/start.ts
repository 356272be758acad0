import { randomUUID } from 'node:crypto'
import { openControl } from '@reprieve/control'
import { openSessions, watchConnections } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { type Logger, pino } from 'pino'
import { recordFindings, recordIncident, recordStandpoint } from './archive/record.ts'
import { findBreak } from './break.ts'
import { ReadAgain } from './capture/undecodable.ts'
import type { SidecarConfig } from './config.ts'
import { CaptureStopped } from './incident.ts'
import { type Adopted, adoptLineage, type Ground } from './lineage/open.ts'
import { pause, runSession, type SessionOptions } from './session.ts'
import { type Duty, startUpkeep } from './upkeep/loop.ts'

export type SidecarParts = {
	/** The vault of the database; not closed by the sidecar. */
	vault: Vault
	/** Default: JSON lines on standard output. */
	log?: Logger
	/** Default `starting`, `streaming` and `stopped` go nowhere. */
	onState?: (state: 'starting' | 'streaming' | 'stopped') => void
}

export type Sidecar = {
	/** Archives what was received and ends; what was not acknowledged yet is delivered again and recognised. */
	stop(): Promise<void>
	/** Resolves after {@link stop}; rejects with a CaptureStopped that only an operator can resolve. */
	ended: Promise<void>
}

/**
 * Follows the database's log into the vault until stopped. A lost connection or an unreachable vault is tried again
 * for ever, with backoff; what it cannot be sure of stops it, with an incident. The control schema must be migrated.
 */
export function startSidecar(config: SidecarConfig, parts: SidecarParts): Sidecar {
	return startSessions(config, parts, { runOne: runSession, duties: ['vault', 'protection'], isCapture: true })
}

/** What one program of the sidecar does. */
export type Program = {
	/** One life: resolves when the signal ends it, throws what broke it. */
	runOne: (session: SessionOptions) => Promise<void>
	/** Work beside it. */
	duties: readonly Duty[]
	/** Whether its state is that of capture, which the gate reads. */
	isCapture: boolean
}

/** Sessions of one kind, one after the other, with upkeep beside them, until stopped. */
export function startSessions(config: SidecarConfig, parts: SidecarParts, program: Program): Sidecar {
	const log = parts.log ?? pino({ name: 'sidecar' })
	const stopping = new AbortController()
	const sql = openSessions(config.databaseUrl, { applicationName: 'reprieve sidecar', max: 2 })
	const watch = watchConnections(config.databaseUrl)
	const control = openControl(config.databaseUrl, { max: 3, applicationName: 'reprieve sidecar control', watch })
	const owner = openSessions(config.ownerUrl ?? config.databaseUrl, { applicationName: 'reprieve upkeep', max: 1 })
	const name = randomUUID()
	const upkeep = startUpkeep({ config, vault: parts.vault, owner, name, log }, program.duties)
	const session = {
		...{ config, sql, ownerSql: owner, control, log, vault: parts.vault, owner: name, signal: stopping.signal },
		onStreaming: () => parts.onState?.('streaming'),
	}
	const run = async () => {
		try {
			await follow(session, program, parts.onState)
		} finally {
			await upkeep.stop()
			parts.onState?.('stopped')
			await Promise.all([sql.end({ timeout: 5 }), owner.end({ timeout: 5 }), control.close()])
		}
	}
	const ended = run()
	ended.catch(() => {})
	return {
		ended,
		async stop() {
			stopping.abort()
			await ended.catch(() => {})
		},
	}
}

/**
 * Closes the lineage that capture cannot continue and opens a new one, with a recorded gap and a note in the vault's
 * audit. Throws CONFLICT while a capture runs, and when there is nothing to adopt.
 */
export async function adopt(
	config: Pick<SidecarConfig, 'databaseUrl'>,
	parts: { vault: Vault; principal: string },
): Promise<Adopted> {
	const sql = openSessions(config.databaseUrl, { applicationName: 'reprieve adopt', max: 1 })
	const watch = watchConnections(config.databaseUrl)
	const control = openControl(config.databaseUrl, { max: 1, applicationName: 'reprieve adopt', watch })
	const ground: Ground = { config, sql, control, vault: parts.vault }
	try {
		const adopted = await adoptLineage(ground, parts.principal)
		await parts.vault.putAudit({ act: 'adopt', principal: parts.principal, ...adopted })
		return adopted
	} finally {
		await Promise.all([sql.end({ timeout: 5 }), control.close()])
	}
}

/** Sessions, one after the other, until stopped. */
async function follow(session: SessionOptions, program: Program, onState: SidecarParts['onState']): Promise<void> {
	const { config, log, signal } = session
	let failures = 0
	let unreadable: bigint | undefined
	const onStreaming = () => {
		failures = 0
		session.onStreaming()
	}
	while (!signal.aborted) {
		onState?.('starting')
		try {
			await program.runOne({ ...session, onStreaming, unreadable })
		} catch (error) {
			if (signal.aborted) break
			if (error instanceof CaptureStopped) await halt(session, program, error)
			if (error instanceof ReadAgain) {
				log.info({ err: error }, 'the stream is opened again')
				unreadable = error.unreadable
				continue
			}
			log.warn({ err: error, failures }, 'capture broke off and starts again')
			if (program.isCapture) await tell(session, error)
			await pause(Math.min(config.backoffMs * 2 ** Math.min(failures, 16), config.backoffMs * 30), signal)
			failures++
		}
	}
	if (program.isCapture)
		await recordState(session, 'stopped').catch((error) => log.warn({ err: error }, 'could not record the stop'))
}

/** Says in the findings why nothing is captured just now; a database that is away is told nothing. */
async function tell(session: SessionOptions, error: unknown): Promise<void> {
	const finding = findBreak(error)
	try {
		// Before anything was captured there is no state yet that findings could stand in.
		if (finding.code === 'captureNotPermitted') await recordState(session, 'stopped')
		await recordFindings(session.control, [finding])
	} catch (err) {
		session.log.warn({ err }, 'could not record why capture broke off')
	}
}

/** Records what only an operator can resolve, and gives up. */
async function halt(session: SessionOptions, { isCapture }: Program, stopped: CaptureStopped): Promise<never> {
	session.log.error({ err: stopped, incident: stopped.incident }, 'capture stopped')
	await recordIncident(session.control.db, stopped.incident)
	if (isCapture) await recordState(session, 'stopped')
	throw stopped
}

async function recordState({ control }: SessionOptions, state: 'stopped'): Promise<void> {
	const [row] = await control.sql<
		{ lineage: string }[]
	>`select id as lineage from reprieve.lineages where closed_at is null`
	if (row) await recordStandpoint(control, { lineage: row.lineage, state })
}
