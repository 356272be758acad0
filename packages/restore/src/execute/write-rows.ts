import { quoteIdentifier, quoteTable, ReprieveError } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import { keyUnique, sameKey } from '../preview/key.ts'
import { areAllMissing } from '../preview/missing.ts'
import { ownRows } from '../stage/columns.ts'
import { joinFate, writeFates } from '../stage/fates.ts'
import type { Stage } from '../stage/open.ts'

export type WriteOptions = { uniques: Unique[]; conflict: 'stop' | 'skip' | 'overwrite' }

/** States of the rows that a batch writes; what becomes otherwise of one is another state by the end. */
export const writtenStates = "('missing', 'different')"

/**
 * Inserts the missing rows and overwrites the different ones of all stages in one statement, so that self references
 * and cycles of non-deferrable foreign keys hold when they are checked. Under `skip` a missing row whose place something
 * else took by now becomes `taken`. Throws CONFLICT and SCHEMA_DRIFT.
 */
export async function writeRows(tx: Transaction, stages: Stage[], options: WriteOptions): Promise<void> {
	const parts = stages.flatMap((stage, i) => [
		...stage.maps.map((_, version) => insertPart(stage, { i, version }, options)),
		...(options.conflict === 'overwrite' && !stage.areMissing
			? stage.maps.map((_, version) => updatePart(stage, { i, version }, options))
			: []),
	])
	if (parts.length === 0) return
	const whole = stages.map((stage, i) => insertedAll(stage, i, options)).join(', ')
	const [row] = await tx
		.unsafe<{ whole: boolean[] }[]>(`with ${parts.join(', ')} select to_json(array[${whole}]::bool[]) as whole`)
		.catch((error: unknown) => {
			throw refusedWrite(error)
		})
	for (const [i, stage] of stages.entries()) {
		if (row?.whole[i]) continue
		await writeFates(tx, stage)
		await noteTaken(tx, stage, options.uniques)
	}
}

/** SQL of "a row was inserted for each that is missing": only under `skip` it may be otherwise. */
function insertedAll(stage: Stage, i: number, { conflict }: WriteOptions): string {
	if (conflict !== 'skip') return 'true'
	const inserted = stage.maps.map((_, version) => `(select count(*) from insert_${i}_${version})`).join(' + ')
	const missing = `select count(*) from ${stage.bookTable} s ${joinFate(stage)} where f.state = 'missing'`
	return `${inserted || '0'} = (${missing})`
}

function insertPart(stage: Stage, at: { i: number; version: number }, options: WriteOptions): string {
	const columns = targetColumns(stage, at.version)
	const onConflict =
		options.conflict === 'skip' ? `on conflict ${conflictTarget(stage, options.uniques)} do nothing returning 1` : ''
	return `insert_${at.i}_${at.version} as (
		insert into ${quoteTable(stage.live)} (${columns.join(', ')}) overriding system value
		select ${columns.map((column) => `s.${column}`).join(', ')}
		from ${stage.sql} s ${joinFate(stage)}
		where f.state = 'missing' and s.${stage.book.v} = ${at.version}
		order by s.${stage.book.n} ${onConflict})`
}

function updatePart(stage: Stage, at: { i: number; version: number }, options: WriteOptions): string {
	const always = new Set(
		stage.live.columns.flatMap((column) => (column.identity === 'a' ? [quoteIdentifier(column.name)] : [])),
	)
	const columns = targetColumns(stage, at.version).filter((column) => !always.has(column))
	const set = columns.map((column) => `${column} = s.${column}`)
	const key = keyUnique(stage.live, options.uniques)
	return `update_${at.i}_${at.version} as (
		update ${ownRows(stage.live)} t set ${set.join(', ')}
		from ${stage.sql} s ${joinFate(stage)}
		where f.state = 'different' and s.${stage.book.v} = ${at.version} and ${sameKey(stage.live, key, 's', 't')}
			and t.xmin::text = s.${stage.book.seen})`
}

function targetColumns(stage: Stage, version: number): string[] {
	return stage.maps[version]?.columns.map((column) => quoteIdentifier(column.to.name)) ?? []
}

/** A deferrable constraint cannot arbitrate: then the key is named, and the constraint's own check decides. */
function conflictTarget(stage: Stage, uniques: Unique[]): string {
	if (!uniques.some((unique) => unique.deferrable && unique.root === stage.live.oid)) return ''
	return `(${stage.live.key.map(quoteIdentifier).join(', ')})`
}

/** Locks the live rows that have a staged row's key, in key order. */
export async function lockExisting(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<void> {
	if (stage.rows === 0 || (await areAllMissing(tx, stage, uniques))) return
	const key = keyUnique(stage.live, uniques)
	const order = stage.live.key.map((name) => `t.${quoteIdentifier(name)}`).join(', ')
	await tx.unsafe(`select from ${stage.sql} s join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')}
		order by ${order} for update of t`)
}

async function noteTaken(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<void> {
	const key = keyUnique(stage.live, uniques)
	await tx.unsafe(`update ${stage.fate} f set state = 'taken' from (
			select s.${stage.book.n} as n from ${stage.sql} s
			left join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')} and ${writtenHere}
			where t.tableoid is null) w
		where w.n = f.n and f.state = 'missing'`)
}

/** SQL of "row t is as this transaction wrote it". */
export const writtenHere = 't.xmin = pg_current_xact_id()::xid'

/** PostgreSQL's refusal of a row as the error that says what to do; any other error as it is. */
export function refusedWrite(error: unknown): unknown {
	const { code, message, detail } = error as { code?: string; message: string; detail?: string }
	const text = `${message}${detail ? `: ${detail}` : ''}`
	if (code === '23505' || code === '23P01') {
		return new ReprieveError('CONFLICT', text, {
			hint: 'Choose conflict skip, or make room for the row; overwrite replaces rows of the same key only.',
			cause: error,
		})
	}
	if (code === '23503') {
		return new ReprieveError('PARENT_MISSING', text, { hint: 'Restore the parents too (parents: true).', cause: error })
	}
	if (code === '23514' && /partition/.test(message)) {
		return new ReprieveError('SCHEMA_DRIFT', text, {
			hint: 'Create the partition that the row belongs to.',
			cause: error,
		})
	}
	if (code?.startsWith('22') || code?.startsWith('23') || code === '54000') {
		return new ReprieveError('SCHEMA_DRIFT', text, { hint: 'The live table refuses the archived row.', cause: error })
	}
	return error
}
