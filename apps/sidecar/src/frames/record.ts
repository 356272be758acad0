import type { CaptureIncident } from '@reprieve/contracts'
import { type Control, captureGaps, incidents, lineages, receipts } from '@reprieve/control'
import { and, desc, eq, isNull, like, or, sql } from 'drizzle-orm'
import { recordGap, recordIncident, recordReceipts } from '../archive/record.ts'
import { makeIncident } from '../incident.ts'
import type { Lane } from './brokers.ts'
import { missingIncident, poisonCode, poisonPlace } from './poison.ts'
import type { LostFrames, Records } from './records.ts'

/** What archivers tell, in the control schema. */
export function recordsIn(control: Control): Records {
	return {
		receipts: (transactions, at) => recordReceipts(control, transactions, at),
		copied: (lineage) => readCopied(control, lineage),
		raise: (incident) => raiseIncident(control, incident),
		resolve: (lane) => resolveLane(control, lane),
		lose: (lost) => recordLostFrames(control, lost),
	}
}

async function raiseIncident({ db }: Control, incident: CaptureIncident): Promise<void> {
	await db.transaction(async (tx) => {
		await recordIncident(tx, incident)
		await tx
			.update(incidents)
			.set({ at: sql`clock_timestamp()`, resolvedAt: null, resolvedBy: null })
			.where(eq(incidents.id, incident.id))
	})
}

/** Resolves an incident that is over. */
export async function resolveIncident({ db }: Control, id: string, by: string): Promise<void> {
	await db
		.update(incidents)
		.set({ resolvedAt: sql`clock_timestamp()`, resolvedBy: by })
		.where(and(eq(incidents.id, id), isNull(incidents.resolvedAt)))
}

async function resolveLane({ db }: Control, lane: Lane): Promise<number> {
	const isPoison = and(eq(incidents.code, poisonCode), like(incidents.message, `${escapeLike(poisonPlace(lane))}%`))
	const resolved = await db
		.update(incidents)
		.set({ resolvedAt: sql`clock_timestamp()`, resolvedBy: 'archiver' })
		.where(and(isNull(incidents.resolvedAt), or(eq(incidents.id, missingIncident(lane).id), isPoison)))
		.returning({ id: incidents.id })
	return resolved.length
}

/** The open incident of one record at which reading stands. */
export async function findPoison(
	{ db }: Control,
	lane: Lane,
	offset: bigint,
): Promise<{ id: string; message: string } | undefined> {
	const isHere = like(incidents.message, `${escapeLike(poisonPlace(lane, offset))} %`)
	const [found] = await db
		.select({ id: incidents.id, message: incidents.message })
		.from(incidents)
		.where(and(eq(incidents.code, poisonCode), isNull(incidents.resolvedAt), isHere))
	return found
}

function escapeLike(text: string): string {
	return text.replaceAll(/[\\%_]/g, '\\$&')
}

async function recordLostFrames({ db }: Control, lost: LostFrames): Promise<void> {
	const { lineage, what, table } = lost
	const [from, to] = [lost.range.from.position, lost.range.to.position]
	const reason = `frames of ${what} are gone that nobody will send again`
	await db.transaction(async (tx) => {
		const isThis = and(
			eq(captureGaps.lineage, lineage),
			table === undefined ? isNull(captureGaps.table) : eq(captureGaps.table, table),
			eq(captureGaps.fromPosition, from),
			eq(captureGaps.toPosition, to),
		)
		if ((await tx.select({ id: captureGaps.id }).from(captureGaps).where(isThis)).length > 0) return
		await recordGap(tx, { lineage, table, from, to, reason })
		const incident = makeIncident({
			code: 'CAPTURE_GAP',
			message: `${reason}: what they deleted is not in the vault`,
			remedy: 'Find out who deleted topics or records; then resolve the incident: the gap stays on record.',
			...{ table, position: to, stopsCapture: false },
		})
		await recordIncident(tx, incident)
	})
}

/** Both the newest copy and the newest acknowledgement say how far copies reach, the earlier one is believed. */
async function readCopied({ db }: Control, lineage: string): Promise<bigint> {
	const [newest] = await db
		.select({ position: receipts.position })
		.from(receipts)
		.where(eq(receipts.lineage, lineage))
		.orderBy(desc(receipts.position))
		.limit(1)
	const [row] = await db.select({ at: lineages.nonceAt }).from(lineages).where(eq(lineages.id, lineage))
	const [copied, acknowledged] = [newest?.position ?? 0n, row?.at ?? 0n]
	return copied < acknowledged ? copied : acknowledged
}
