import type { CaptureIncident } from '@reprieve/contracts'
import { type Control, captureGaps, incidents, lineages, receipts } from '@reprieve/control'
import type { Vault } from '@reprieve/vault'
import { and, desc, eq, isNull, like, or, sql } from 'drizzle-orm'
import { type Receipted, recordGap, recordIncident, recordReceipts } from '../archive/record.ts'
import { makeIncident } from '../incident.ts'
import type { Lane } from './consumer.ts'
import type { MissingRange } from './partition.ts'
import { missingIncident, poisonCode, poisonPlace } from './poison.ts'

/** Receipts that are copied in one transaction. */
const chunk = 5_000

/** Records an incident as of now, also one that was resolved before. */
export async function raiseIncident({ db }: Control, incident: CaptureIncident): Promise<void> {
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

/** A lane is read to its end: resolves what said that it lacks frames, or that reading stands. Answers how many were. */
export async function resolveLane({ db }: Control, lane: Lane): Promise<number> {
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

/** Records a range that no frame brings any more, once. No table: receipts themselves are missing, of every table. */
export async function recordLostFrames(
	{ db }: Control,
	lost: { lineage: string; what: string; table?: string; range: MissingRange },
): Promise<void> {
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

/**
 * Copies again what the vault has since the newest receipt here: the copy may be what was lost. Both the newest copy and
 * the newest acknowledgement say how far copies reach, the earlier one is believed.
 */
export async function copyReceipts(control: Control, vault: Vault, lineage: string, archived: bigint): Promise<void> {
	const [newest] = await control.db
		.select({ position: receipts.position })
		.from(receipts)
		.where(eq(receipts.lineage, lineage))
		.orderBy(desc(receipts.position))
		.limit(1)
	const [row] = await control.db.select({ at: lineages.nonceAt }).from(lineages).where(eq(lineages.id, lineage))
	const [copied, acknowledged] = [newest?.position ?? 0n, row?.at ?? 0n]
	const from = copied < acknowledged ? copied : acknowledged
	let waiting: Receipted[] = []
	for await (const transaction of vault.transactions.read({ positions: { from } })) {
		waiting.push({ archived: transaction, incidents: [], gaps: [] })
		if (waiting.length < chunk) continue
		await recordReceipts(control, waiting, { lineage, archived })
		waiting = []
	}
	await recordReceipts(control, waiting, { lineage, archived })
}
