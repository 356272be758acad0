import { type ChangeRows, quoteTable, ReprieveError, type SourceTable } from '@reprieve/contracts'
import { describeTables, readIncoming, type Transaction } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { type Reference, readReferences, referencing } from '../catalog/references.ts'
import { readHooks, readRights } from '../catalog/triggers.ts'
import { readUniques, type Unique } from '../catalog/uniques.ts'
import { driftCode, ownEntry } from '../drift/map-columns.ts'
import {
	chooseSuppression,
	mayCheckAtOnce,
	replicaObstacle,
	type Suppression,
	type SuppressionFacts,
} from '../order/suppression.ts'
import { classify } from '../preview/classify.ts'
import type { RestoreRequest } from '../preview/examine.ts'
import { openTimelines, type Timelines } from '../selection/timelines.ts'
import { joinFate } from '../stage/fates.ts'
import { dropStages, openStages, type Stage, stageRows, versionOf } from '../stage/open.ts'
import { advanceSequences, restoredOf } from './advance-sequences.ts'
import { checkReference } from './check-references.ts'
import { decide } from './decide.ts'
import type { RestoreCursor } from './enlist.ts'
import { foldRelinks } from './fold-relinks.ts'
import { emitOverwritten, emitTag, type Signature } from './messages.ts'
import type { BatchSource } from './read-ahead.ts'
import { type BatchCounts, recordRows } from './record-rows.ts'
import { type Listed, listedOf, type Share } from './shares.ts'
import { mayGoStraight, restoreStraight, type StraightWork } from './straight.ts'
import { release, suppress } from './suppress.ts'
import { verifyRows } from './verify.ts'
import { writeRelinks } from './write-relinks.ts'
import { lockExisting, refusedWrite, writeRows } from './write-rows.ts'

export type BatchContext = {
	vault: Vault
	by: Signature
	request: RestoreRequest
	cursor: RestoreCursor
	/**
	 * Settles when the batches before are committed, and rejects when they will not be. Ahead of its turn a batch does no more
	 * than copy rows straight in.
	 */
	turn: Promise<void>
	/** Aborted when the batch is given up: it stops where it is. */
	signal: AbortSignal
	/** Called when the batch begins to write: beside one that goes straight into its table the next may begin. */
	goes: (way: 'straight' | 'staged') => void
	/** Every batch goes through stages: one could not be copied straight into its table. */
	isStaged: boolean
	/** Timeline of transactions that the vault has no record of. */
	timeline: number
}

/**
 * Restores one batch inside the caller's transaction, up to but not including its commit: lock, tag, stage, compare,
 * write, check foreign keys, read back, record. Answers counts per archived table. Throws CONFLICT, PARENT_MISSING,
 * SCHEMA_DRIFT, NOT_RESTORABLE, VAULT_CORRUPT, NotStraight; the caller rolls back.
 */
export async function restoreBatch(
	tx: Transaction,
	context: BatchContext,
	source: BatchSource,
): Promise<Map<string, BatchCounts>> {
	const { batch, shares } = source
	const lives = await lockTables(tx, context, shares)
	const flags = shares.flatMap((share) => share.relinks)
	const relinks = flags.length > 0 && flags.every((isRelink) => isRelink)
	const { conflict } = context.request
	const updating = relinks || conflict === 'overwrite'
	const known = () => readFacts(tx, context, { lives, updating })
	const facts = await known()
	const { uniques } = facts
	const chosen = chooseFor(facts)
	const straight = await straightWork(tx, context, { source, lives, uniques, suppression: chosen })
	if (!straight) await context.turn
	const suppression: Suppression = straight && mayCheckAtOnce(facts) ? { mode: 'replica', hooks: [] } : chosen
	await suppress(tx, suppression)
	const xid = await emitTag(tx, context.by, batch)
	context.goes(straight ? 'straight' : 'staged')
	if (straight) {
		const counts = await restoreStraight(tx, straight, {
			turn: context.turn,
			release: () => releaseChecked(tx, suppression),
			readUnchecked: () => readUnchecked(suppression, known),
		})
		return new Map([[straight.archivedName, counts]])
	}
	const stages = await stageList(tx, context, { ...source, lives })
	for (const stage of stages) await lockExisting(tx, stage, uniques)
	for (const stage of stages) await classify(tx, stage, uniques)
	if (relinks) for (const stage of stages) await writeRelinks(tx, stage, uniques)
	else {
		if (flags.includes(true)) for (const stage of stages) await foldRelinks(tx, stage, uniques)
		for (const stage of stages) await decide(tx, stage, context.by.id, conflict)
		if (conflict === 'overwrite') {
			for (const stage of stages) await emitOverwritten(tx, context.by, stage, { batch, xid, uniques })
		}
		await writeRows(tx, stages, { uniques, conflict })
		await advanceSequences(tx, stages.map(restoredOf))
	}
	await checkReferences(tx, stages, await readUnchecked(suppression, known))
	await releaseChecked(tx, suppression)
	const counts = new Map<string, BatchCounts>()
	for (const stage of stages) {
		const verified = relinks ? 0 : await verifyRows(tx, stage, uniques)
		counts.set(stage.archivedName, { ...(await recordRows(tx, stage, context.by.id)), verified })
	}
	await dropStages(tx, stages)
	return counts
}

/** The whole batch as one share that may be copied straight into its table; undefined where it takes stages. */
async function straightWork(
	tx: Transaction,
	context: BatchContext,
	found: { source: BatchSource; lives: SourceTable[]; uniques: Unique[]; suppression: Suppression },
): Promise<StraightWork | undefined> {
	const { source, lives, uniques, suppression } = found
	const [share, ...others] = source.shares
	const [live] = lives
	const read = source.rows.get(share?.t ?? -1)
	const isPlain = suppression.mode !== 'disable' && context.request.triggers === 'suppress'
	if (context.isStaged || !isPlain || !share || others.length > 0 || !live || !read) return undefined
	const archivedName = context.cursor.tables[share.t]?.name ?? ''
	const of = { restoreId: context.by.id, share, archivedName }
	if (!(await mayGoStraight(tx, of))) return undefined
	const rename = ownEntry(context.request.rename, archivedName) ?? {}
	return {
		...of,
		signal: context.signal,
		live,
		uniques,
		read,
		rename,
		timelines: openTimelines(context.vault, context.timeline),
	}
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
async function lockTables(tx: Transaction, context: BatchContext, shares: Share[]): Promise<SourceTable[]> {
	const oids = [...new Set(shares.map(({ t }) => context.cursor.tables[t]?.oid ?? 0))].sort((a, b) => a - b)
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

async function readFacts(
	tx: Transaction,
	context: BatchContext,
	work: { lives: SourceTable[]; updating: boolean },
): Promise<SuppressionFacts> {
	const { lives, updating } = work
	const oids = lives.map((live) => live.oid)
	return {
		tables: lives,
		hooks: await readHooks(tx, oids),
		uniques: await readUniques(tx, oids),
		references: await readReferences(tx, oids),
		rights: await readRights(tx, oids),
		updated: updating ? await readIncoming(tx, oids) : [],
		triggers: context.request.triggers,
	}
}

/**
 * Foreign keys that nobody has looked at for what is written by now, when the partitions that took it can change no more: one that was
 * attached while it was written has keys and triggers of its own. Throws SCHEMA_DRIFT where replica mode was no choice then.
 */
async function readUnchecked(suppression: Suppression, known: () => Promise<SuppressionFacts>): Promise<Reference[]> {
	if (suppression.mode !== 'replica') return []
	const facts = await known()
	const obstacle = replicaObstacle(facts)
	if (obstacle === undefined) return facts.references
	throw new ReprieveError('SCHEMA_DRIFT', `${obstacle}: the tables changed while a batch was written`, {
		hint: 'Start the restore again.',
	})
}

function chooseFor(facts: SuppressionFacts): Suppression {
	const choice = chooseSuppression(facts)
	if (!('code' in choice)) return choice
	throw new ReprieveError('NOT_RESTORABLE', choice.message, { hint: choice.remedy })
}

async function stageList(
	tx: Transaction,
	context: BatchContext,
	work: BatchSource & { lives: SourceTable[] },
): Promise<Stage[]> {
	const timelines = openTimelines(context.vault, context.timeline)
	const targets = work.shares.flatMap((share) => {
		const target = context.cursor.tables[share.t]
		const live = work.lives.find((each) => each.oid === target?.oid)
		const read = work.rows.get(share.t)
		return target && live && read ? [{ live, archivedName: target.name, rows: listedOf(share), read }] : []
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

async function checkReferences(tx: Transaction, stages: Stage[], references: Reference[]): Promise<void> {
	for (const reference of references) {
		const stage = stages.find((each) => each.live.oid === reference.child) as Stage
		const rows = `from ${referencing(stage.sql, reference)} s ${joinFate(stage)}
			where f.state in ('missing', 'different', 'relinked')`
		await checkReference(tx, { archivedName: stage.archivedName, rows }, reference)
	}
}
