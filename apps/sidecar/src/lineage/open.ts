import { formatInstant, formatLsn } from '@reprieve/contracts'
import { type Control, incidents, lineages } from '@reprieve/control'
import {
	createSlot,
	type DatabaseIdentity,
	dropSlot,
	ensurePublications,
	readIdentity,
	readSlot,
	type Sql,
	slotName,
} from '@reprieve/postgres'
import type { Vault, VaultLineage } from '@reprieve/vault'
import { and, eq, isNull, sql as raw } from 'drizzle-orm'
import { recordGap, recordIncident } from '../archive/record.ts'
import { adoptRemedy, CaptureStopped, makeIncident } from '../incident.ts'
import { type ControlLineage, type Evidence, judgeLineage } from './judge.ts'

/** Any constant: one process at a time opens a lineage. */
const openingLock = 7_236_514_203

export type Ground = { sql: Sql; control: Control; vault: Vault }

/** A lineage that capture may continue, and the position that the vault has everything before. */
export type OpenLineage = { lineage: VaultLineage; slot: string; archived: bigint; confirmed: bigint; timeline: number }

/**
 * Answers the lineage to continue, opening one on first use. A gap between slot and vault is recorded and capture goes
 * on behind it. Throws CaptureStopped when the database is not the one that the vault continues.
 */
export async function openLineage(ground: Ground): Promise<OpenLineage> {
	await ensurePublications(ground.sql)
	const evidence = await gatherEvidence(ground)
	const verdict = judgeLineage(evidence)
	if (verdict.kind === 'stop') {
		const { code, message } = verdict
		throw new CaptureStopped('CAPTURE_GAP', { code, message, remedy: adoptRemedy })
	}
	if (verdict.kind === 'open') {
		await beginLineage(ground, evidence.identity, verdict.id ?? crypto.randomUUID())
		return await openLineage(ground)
	}
	const { lineage, archived, gap, isSlotUsable } = verdict
	const confirmed = isSlotUsable ? (evidence.slot?.confirmed ?? 0n) : await renewSlot(ground, lineage.slot)
	if (gap) await recordSlotGap(ground, { lineage: lineage.id, ...gap, to: confirmed })
	if (confirmed > archived)
		await ground.vault.transactions.append({ source: lineage.id, position: confirmed, transactions: [] })
	const position = confirmed > archived ? confirmed : archived
	return { lineage, slot: lineage.slot, archived: position, confirmed, timeline: evidence.identity.timeline }
}

/** Reads what {@link judgeLineage} decides by. */
async function gatherEvidence({ sql, control, vault }: Ground): Promise<Evidence> {
	const identity = await readIdentity(sql)
	const open = (await vault.lineages()).findLast((lineage) => lineage.closedAt === undefined)
	return {
		identity,
		control: await readControlLineage(control),
		vault: open,
		slot: await readSlot(sql, slotName(identity.databaseOid)),
		archived: open && (await vault.transactions.archived(open.id)),
	}
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
 * Incidents that stopped capture are resolved by `principal`. No capture may be running. Answers the new lineage's id.
 */
export async function adoptLineage(ground: Ground, principal: string): Promise<{ lineage: string; gap: string }> {
	const { sql, control, vault } = ground
	await ensurePublications(sql)
	const { identity, vault: old, archived } = await gatherEvidence(ground)
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

async function recordSlotGap(
	{ control }: Ground,
	gap: { lineage: string; from: bigint; to: bigint; reason: string },
): Promise<void> {
	await recordGap(control.db, gap)
	await recordIncident(
		control.db,
		makeIncident({
			code: 'CAPTURE_GAP',
			message: `${gap.reason}: what was deleted in between is not in the vault`,
			remedy: 'Find out who moved or dropped the slot, then resolve the incident; the gap stays on record.',
			position: gap.to,
			stopsCapture: false,
		}),
	)
}

async function readControlLineage(control: Control): Promise<ControlLineage | undefined> {
	const [row] = await control.db.select().from(lineages).where(isNull(lineages.closedAt))
	return row
}
