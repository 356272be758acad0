import { formatInstant, formatLsn, ReprieveError } from '@reprieve/contracts'
import { type Control, incidents, lineages } from '@reprieve/control'
import {
	createSlot,
	type DatabaseIdentity,
	dropSlot,
	enableFailover,
	ensurePublications,
	readIdentity,
	readSlot,
	readTimelineHistory,
	type Sql,
	slotName,
} from '@reprieve/postgres'
import { archivedOn, type Branch, branchSource, type Vault, type VaultLineage } from '@reprieve/vault'
import { and, eq, isNull, sql as raw } from 'drizzle-orm'
import { recordGap, recordIncident } from '../archive/record.ts'
import type { SidecarConfig } from '../config.ts'
import { CaptureStopped, lineageRemedy, makeIncident } from '../incident.ts'
import { channelOf, isDrained } from './channel.ts'
import { type ControlLineage, type Evidence, judgeLineage, type Verdict } from './judge.ts'
import { isConflict, takeLease } from './lease.ts'
import { followPromotion } from './promotion.ts'

/** Any constant: one process at a time opens a lineage. */
const openingLock = 7_236_514_203

/** Milliseconds to wait for the lease of a capture that was killed. */
const leasePatienceMs = 15_000

export type Ground = {
	config: Pick<SidecarConfig, 'databaseUrl'>
	sql: Sql
	control: Control
	vault: Vault
	/** Another program (Debezium) acknowledges the slot: it may stand beyond the vault, whose rest lies in Kafka. Frames on their way say so themselves. */
	isAcknowledgedElsewhere?: boolean
}

/** A lineage that capture may continue, and the position that the vault has everything before. */
export type OpenLineage = {
	lineage: VaultLineage
	slot: string
	archived: bigint
	confirmed: bigint
	branch: Branch
	/** What the database named before the lineage was fenced; null for nothing yet. */
	nonce: string | null
}

/**
 * Names the lineage to continue, opening one on first use; else changes nothing, since another capture may hold it.
 * Throws CaptureStopped when the database is not the one that the vault continues.
 */
export async function findLineage(ground: Ground): Promise<string> {
	await ensurePublications(ground.sql)
	return (await judge(ground)).lineage.id
}

/**
 * Answers the lineage to continue, under its lease. A gap between slot and vault is recorded and capture goes on behind
 * it. Throws CaptureStopped when the database is not the one that the vault continues.
 */
export async function openLineage(ground: Ground): Promise<OpenLineage> {
	const nonce = (await readControlLineage(ground.control))?.nonce ?? null
	await fence(ground.vault)
	const verdict = await judge(ground)
	if (verdict.kind === 'promote') {
		await followPromotion(ground, verdict)
		return await openLineage(ground)
	}
	const { evidence, lineage, archived, gap, isSlotUsable } = verdict
	const branch = await ground.vault.transactions.branch(lineage)
	const confirmed = isSlotUsable ? (evidence.slot?.confirmed ?? 0n) : await renewSlot(ground, lineage.slot)
	if (gap) await recordSlotGap(ground, { lineage: lineage.id, ...gap, to: confirmed })
	const isBehind = confirmed > archived && !evidence.isOnItsWay
	const append = { source: branchSource(branch), lineage: lineage.id, position: confirmed, transactions: [] }
	if (isBehind) await ground.vault.transactions.append(append)
	if (evidence.control?.timeline !== branch.timeline) await recordTimeline(ground.control, branch)
	if (isSlotUsable && evidence.slot?.failover === false && !ground.isAcknowledgedElsewhere)
		await enableFailover(ground.config.databaseUrl, lineage.slot)
	return { lineage, slot: lineage.slot, confirmed, branch, nonce, archived: isBehind ? confirmed : archived }
}

/** Writes the open lineage again as it is: what a former holder still has under way cannot replace it any more. */
export async function fence(vault: Pick<Vault, 'lineages' | 'putLineage'>): Promise<void> {
	const open = (await vault.lineages()).findLast((lineage) => lineage.closedAt === undefined)
	if (!open) return
	try {
		await vault.putLineage(open)
	} catch (error) {
		if (!isConflict(error)) throw error
		// One of the former holder's came first: the next may be under way.
		await fence(vault)
	}
}

async function recordTimeline({ db }: Control, { lineage, timeline }: Branch): Promise<void> {
	await db.update(lineages).set({ timeline }).where(eq(lineages.id, lineage))
}

type Continuation = Extract<Verdict, { kind: 'continue' | 'promote' }> & { evidence: Evidence }

/**
 * The verdict to go on. What speaks against it is believed only when the database's nonce stood still meanwhile: beside
 * a capture that acknowledges, vault and database are read at different moments.
 */
async function judge(ground: Ground, before?: { nonce: string | null }): Promise<Continuation> {
	const evidence = await gatherEvidence(ground)
	const verdict = judgeLineage(evidence)
	if (verdict.kind === 'continue' || verdict.kind === 'promote') return { ...verdict, evidence }
	if (verdict.kind === 'open') {
		await beginLineage(ground, evidence.identity, verdict.id ?? crypto.randomUUID())
		return await judge(ground)
	}
	const nonce = evidence.control?.nonce ?? null
	if (before?.nonce !== nonce) return await judge(ground, { nonce })
	const { code, message } = verdict
	throw new CaptureStopped('CAPTURE_GAP', { code, message, remedy: lineageRemedy(code) })
}

/** Reads what {@link judgeLineage} decides by. */
async function gatherEvidence({ config, sql, control, vault, isAcknowledgedElsewhere }: Ground): Promise<Evidence> {
	const identity = await readIdentity(sql)
	const open = (await vault.lineages()).findLast((lineage) => lineage.closedAt === undefined)
	const slot = await readSlot(sql, slotName(identity.databaseOid))
	const branch = open && (await vault.transactions.branch(open))
	const archived = branch && (await archivedOn(vault.transactions, branch, (end) => end))
	const isNewer = open !== undefined && identity.timeline > open.timeline
	const history = isNewer ? await readTimelineHistory(config.databaseUrl, identity.timeline) : undefined
	const isOnItsWay =
		isAcknowledgedElsewhere || (open && !(await isDrained(vault, open.id, channelOf({ lineage: open }))))
	const known = { identity, control: await readControlLineage(control), vault: open }
	return { ...known, slot, archived, branch, history, isOnItsWay }
}

/** Opens a lineage: database first, then slot, then vault, so that an opening cut short is taken up again. */
async function beginLineage({ sql, control, vault }: Ground, identity: DatabaseIdentity, id: string): Promise<void> {
	const slot = slotName(identity.databaseOid)
	const { systemIdentifier, databaseOid, timeline } = identity
	await control.db.transaction(async (tx) => {
		await tx.execute(raw`select pg_catalog.pg_advisory_xact_lock(${openingLock})`)
		const open = await tx.select().from(lineages).where(isNull(lineages.closedAt))
		if (open.length > 0) return
		await tx.insert(lineages).values({ id, systemIdentifier, databaseOid, slot, timeline, openedAt: raw`now()` })
	})
	const opened = await readControlLineage(control)
	if (!opened) return
	const confirmed = (await readSlot(sql, slot))?.confirmed ?? (await createSlot(sql, slot))
	const known = (await vault.lineages()).some((lineage) => lineage.id === opened.id)
	const openedAt = formatInstant(BigInt(Date.now()) * 1000n)
	if (!known)
		await vault.putLineage({ id: opened.id, systemIdentifier, databaseOid, slot, timeline, openedAt, nonces: [] })
	await vault.transactions.append({ source: opened.id, position: confirmed, transactions: [] })
}

/**
 * Closes the open lineage and opens a new one for the database as it is now, recording everything in between as a gap.
 * Incidents that stopped capture are resolved by `principal`. Throws CONFLICT while a capture runs, and when capture
 * could go on without it.
 */
export async function adoptLineage(ground: Ground, principal: string): Promise<Adopted> {
	await ensurePublications(ground.sql)
	const evidence = await gatherEvidence(ground)
	await refuseNeedless(ground, evidence)
	refuseRunning(evidence)
	if (!evidence.vault) return await leaveLineage(ground, evidence, principal)
	const signal = AbortSignal.timeout(leasePatienceMs)
	const lease = await takeLease({
		...{ vault: ground.vault, lineage: evidence.vault.id, owner: crypto.randomUUID() },
		...{ ttlMs: leasePatienceMs, signal },
	})
	try {
		return await leaveLineage(ground, evidence, principal)
	} finally {
		await lease.release()
	}
}

async function refuseNeedless({ control }: Ground, evidence: Evidence): Promise<void> {
	if (judgeLineage(evidence).kind === 'stop') return
	const isStopped = and(isNull(incidents.resolvedAt), eq(incidents.stopsCapture, true))
	const [stopped] = await control.db.select({ id: incidents.id }).from(incidents).where(isStopped).limit(1)
	if (stopped) return
	throw new ReprieveError('CONFLICT', 'there is nothing to adopt: capture can go on where it ended', {
		hint: 'Start without adopting.',
	})
}

function refuseRunning({ slot }: Evidence): void {
	if (!slot?.activePid) return
	throw new ReprieveError('CONFLICT', `process ${slot.activePid} of the server streams from slot ${slot.name}`, {
		hint: 'Stop the capture that runs, then adopt.',
	})
}

/** The new lineage, and the range of the log that no lineage has. */
export type Adopted = { lineage: string; gap: string }

async function leaveLineage(ground: Ground, evidence: Evidence, principal: string): Promise<Adopted> {
	const { control, vault } = ground
	const { identity, vault: old, archived } = evidence
	const now = formatInstant(BigInt(Date.now()) * 1000n)
	for (const lineage of await vault.lineages()) {
		if (lineage.closedAt === undefined) await vault.putLineage({ ...lineage, closedAt: now })
	}
	await control.db.update(lineages).set({ closedAt: raw`now()` }).where(isNull(lineages.closedAt))
	const to = await renewSlot(ground, slotName(identity.databaseOid))
	const id = crypto.randomUUID()
	await beginLineage(ground, identity, id)
	const reason = old ? `lineage ${old.id} was left for ${id}` : `lineage ${id} was opened by hand`
	await recordGap(control.db, { lineage: id, from: archived, to, reason })
	await control.db
		.update(incidents)
		.set({ resolvedAt: raw`now()`, resolvedBy: principal })
		.where(and(isNull(incidents.resolvedAt), eq(incidents.stopsCapture, true)))
	return { lineage: id, gap: `${archived === undefined ? 'the beginning' : formatLsn(archived)} to ${formatLsn(to)}` }
}

async function renewSlot({ sql }: Ground, name: string): Promise<bigint> {
	if (await readSlot(sql, name)) await dropSlot(sql, name)
	return await createSlot(sql, name)
}

/** Records that the slot stands behind a range that the vault has not, and raises it as an incident. */
export async function recordSlotGap(
	{ control }: Pick<Ground, 'control'>,
	gap: { lineage: string; from: bigint; to: bigint; reason: string },
): Promise<void> {
	await recordGap(control.db, gap)
	await recordIncident(
		control.db,
		makeIncident({
			code: 'CAPTURE_GAP',
			message: `${gap.reason}: what was deleted in between is not in the vault`,
			remedy:
				'Find out who moved or dropped the slot, then resolve the incident (`pnpm reprieve incidents`); the gap stays on record.',
			position: gap.to,
			stopsCapture: false,
		}),
	)
}

async function readControlLineage(control: Control): Promise<ControlLineage | undefined> {
	const [row] = await control.db.select().from(lineages).where(isNull(lineages.closedAt))
	return row
}
