import { type ChangeRows, quoteTable, ReprieveError, type SourceTable } from '@reprieve/contracts'
import { describeTables, readIncoming, type Transaction } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { readReferences } from '../catalog/references.ts'
import { readHooks, readRights } from '../catalog/triggers.ts'
import { readUniques, type Unique } from '../catalog/uniques.ts'
import { driftCode, ownEntry } from '../drift/map-columns.ts'
import { chooseSuppression, type Suppression } from '../order/suppression.ts'
import { classify } from '../preview/classify.ts'
import type { RestoreRequest } from '../preview/examine.ts'
import { openTimelines, type Timelines } from '../selection/timelines.ts'
import { dropStages, openStages, type Stage, stageRows, versionOf } from '../stage/open.ts'
import { advanceSequences } from './advance-sequences.ts'
import { checkReference } from './check-references.ts'
import { decide } from './decide.ts'
import type { RestoreCursor } from './enlist.ts'
import { foldRelinks } from './fold-relinks.ts'
import { emitOverwritten, emitTag, type Signature } from './messages.ts'
import type { BatchReader, BatchSource, Listed } from './read-ahead.ts'
import { type BatchCounts, recordRows } from './record-rows.ts'
import { release, suppress } from './suppress.ts'
import { verifyRows } from './verify.ts'
import { writeRelinks } from './write-relinks.ts'
import { lockExisting, refusedWrite, writeRows } from './write-rows.ts'

export type BatchContext = {
	vault: Vault
	by: Signature
	request: RestoreRequest
	cursor: RestoreCursor
	batches: Pick<BatchReader, 'prepare'>
	/** Timeline of transactions that the vault has no record of. */
	timeline: number
}

/**
 * Restores one batch inside the caller's transaction, up to but not including its commit: lock, tag, stage, compare,
 * write, check foreign keys, read back, record. Answers counts per archived table. Throws CONFLICT, PARENT_MISSING,
 * SCHEMA_DRIFT, NOT_RESTORABLE, VAULT_CORRUPT; the caller rolls back.
 */
export async function restoreBatch(
	tx: Transaction,
	context: BatchContext,
	source: BatchSource,
): Promise<Map<string, BatchCounts>> {
	const { batch, list } = source
	const lives = await lockTables(tx, context, list)
	const oids = lives.map((live) => live.oid)
	const uniques = await readUniques(tx, oids)
	const relinks = list.length > 0 && list.every((row) => row.relink)
	const { conflict } = context.request
	const updating = relinks || conflict === 'overwrite'
	const suppression = await chooseFor(tx, context, { lives, uniques, updating })
	await suppress(tx, suppression)
	const xid = await emitTag(tx, context.by, batch)
	const stages = await stageList(tx, context, { ...source, lives })
	context.batches.prepare(batch + 1)
	for (const stage of stages) await lockExisting(tx, stage, uniques)
	for (const stage of stages) await classify(tx, stage, uniques)
	if (relinks) for (const stage of stages) await writeRelinks(tx, stage, uniques)
	else {
		if (list.some((row) => row.relink)) for (const stage of stages) await foldRelinks(tx, stage, uniques)
		for (const stage of stages) await decide(tx, stage, context.by.id, conflict)
		if (conflict === 'overwrite') {
			for (const stage of stages) await emitOverwritten(tx, context.by, stage, { batch, xid, uniques })
		}
		await writeRows(tx, stages, { uniques, conflict })
		await advanceSequences(tx, stages)
	}
	if (suppression.mode === 'replica') await checkReferences(tx, stages)
	await releaseChecked(tx, suppression)
	const counts = new Map<string, BatchCounts>()
	for (const stage of stages) {
		const verified = relinks ? 0 : await verifyRows(tx, stage, uniques)
		counts.set(stage.archivedName, { ...(await recordRows(tx, stage, context.by.id)), verified })
	}
	await dropStages(tx, stages)
	return counts
}

/** What was deferred is checked now, and refused as a write is. */
async function releaseChecked(tx: Transaction, suppression: Suppression): Promise<void> {
	try {
		await release(tx, suppression)
	} catch (error) {
		throw refusedWrite(error)
	}
}

/** Locks the tables against DDL, then reads what they are: the other way round leaves room for an ALTER in between. */
async function lockTables(tx: Transaction, context: BatchContext, list: Listed[]): Promise<SourceTable[]> {
	const oids = [...new Set(list.map((row) => context.cursor.tables[row.t]?.oid ?? 0))].sort((a, b) => a - b)
	const before = await describeTables(tx, oids)
	if (before.length > 0) {
		await tx.unsafe(before.map((table) => `lock table ${quoteTable(table)} in row exclusive mode`).join(';'))
	}
	const lives = await describeTables(tx, oids)
	if (lives.length === oids.length) return lives
	throw new ReprieveError(
		'SCHEMA_DRIFT',
		`${oids.length - lives.length} of ${oids.length} tables were dropped since the start`,
		{
			hint: 'Preview again.',
		},
	)
}

async function chooseFor(
	tx: Transaction,
	context: BatchContext,
	work: { lives: SourceTable[]; uniques: Unique[]; updating: boolean },
) {
	const { lives, uniques, updating } = work
	const oids = lives.map((live) => live.oid)
	const choice = chooseSuppression({
		tables: lives,
		hooks: await readHooks(tx, oids),
		uniques,
		references: await readReferences(tx, oids),
		rights: await readRights(tx, oids),
		updated: updating ? await readIncoming(tx, oids) : [],
		triggers: context.request.triggers,
	})
	if (!('code' in choice)) return choice
	throw new ReprieveError('NOT_RESTORABLE', choice.message, { hint: choice.remedy })
}

async function stageList(
	tx: Transaction,
	context: BatchContext,
	work: BatchSource & { lives: SourceTable[] },
): Promise<Stage[]> {
	const timelines = openTimelines(context.vault, context.timeline)
	const targets = [...Map.groupBy(work.list, (row) => row.t)].flatMap(([t, rows]) => {
		const target = context.cursor.tables[t]
		const live = work.lives.find((each) => each.oid === target?.oid)
		const read = work.rows.get(t)
		return target && live && read ? [{ live, archivedName: target.name, rows, read }] : []
	})
	const stages = await openStages(tx, targets)
	for (const [i, stage] of stages.entries()) {
		const target = targets[i]
		if (target) await fillStage(tx, context, { ...target, stage, timelines })
	}
	return stages
}

async function fillStage(
	tx: Transaction,
	context: BatchContext,
	work: { stage: Stage; rows: Listed[]; read: AsyncIterable<ChangeRows>; timelines: Timelines },
): Promise<void> {
	const { stage, timelines } = work
	const listed = new Map<string, Map<number, Listed>>()
	for (const row of work.rows) {
		const place = `${row.timeline}/${row.position}`
		listed.set(place, (listed.get(place) ?? new Map()).set(row.ordinal, row))
	}
	const rename = ownEntry(context.request.rename, stage.archivedName) ?? {}
	for await (const rows of work.read) {
		const version = versionOf(stage, rows.table, rename)
		const drift = stage.maps[version]?.findings.find((finding) => finding.code === driftCode)
		if (drift)
			throw new ReprieveError('SCHEMA_DRIFT', `${stage.archivedName}: ${drift.message}`, { hint: drift.remedy })
		const all = Uint32Array.from({ length: rows.count }, (_, row) => row)
		await timelines.learn({ rows, at: all })
		const timeline = (row: number) => timelines.of(rows, row)
		const found = new Map<number, { n: number; seen: string | null }>()
		for (const row of all) {
			const wanted = listed.get(`${timeline(row)}/${rows.position[row]}`)?.get(rows.ordinal[row] as number)
			if (wanted) found.set(row, { n: wanted.seq, seen: wanted.seen })
		}
		const of = (row: number) => found.get(row) as { n: number; seen: string | null }
		await stageRows(tx, stage, { rows, at: [...found.keys()], timeline, listed: of }, version)
	}
	if (stage.rows === work.rows.length) return
	throw new ReprieveError(
		'VAULT_CORRUPT',
		`${stage.archivedName}: ${work.rows.length} changes listed, ${stage.rows} read`,
		{
			hint: 'Verify the vault; nothing of this batch was written.',
		},
	)
}

async function checkReferences(tx: Transaction, stages: Stage[]): Promise<void> {
	const references = await readReferences(
		tx,
		stages.map((stage) => stage.live.oid),
	)
	for (const reference of references) {
		const stage = stages.find((each) => each.live.oid === reference.child) as Stage
		await checkReference(tx, stage, reference, "('missing', 'different', 'relinked')")
	}
}
