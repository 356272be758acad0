import { quoteIdentifier } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { type Load, packLoads } from '../order/pack.ts'
import { relinkStates } from '../preview/classify.ts'
import type { Examination } from '../preview/examine.ts'
import { stageOf } from '../preview/examine.ts'
import { keyUnique, sameKey } from '../preview/key.ts'
import { keyColumns, keyObject, textOf } from '../stage/columns.ts'
import { joinFate } from '../stage/fates.ts'
import { changeOf, type Stage } from '../stage/open.ts'

/** What the executor needs to go on after a crash, besides the list: the restore's `cursor`. */
export type RestoreCursor = {
	/** Archived tables of the list, with the live table that each goes to. */
	tables: { name: string; oid: number; span?: Span }[]
	batches: number
	/** Batches done; commits with the rows. */
	done: number
}

/** Smallest and largest commit position of a table's changes in a list, decimal. */
export type Span = { from: string; to: string }

/** Rows that a batch may hold, together however many they are, and still have its keys in the list, which is one row of it. */
const plainRows = 100_000

/** What the list is made in: rows are numbered and moved here before each batch's share becomes one row. */
const draft = 'pg_temp.draft'

const relinked = `f.state in (${relinkStates.map((state) => `'${state}'`).join(', ')})`
const inserted = `f.state <> 'superseded' and not ${relinked}`

/**
 * Writes the resolved list of a restore: every change with its batch, parents before children, of a table the missing rows
 * first, relinks last and newest first. Tables that reference each other share one batch; small ones share it with others. Superseded changes go to the report at once.
 */
export async function enlist(
	tx: Transaction,
	examination: Examination,
	restore: { id: string; batchRows: number },
): Promise<RestoreCursor> {
	await tx.unsafe(`create temp table draft (seq int8, batch int4, t int4, timeline int4, position int8, ordinal int8,
		relink bool, seen text, missing bool, key text) on commit drop`)
	const state = { seq: 0, batch: 0 }
	const index = (stage: Stage) => examination.tables.findIndex((table) => table.stage === stage)
	const partsOf = (loads: Load[], filter: string, isPlain: boolean) =>
		loads
			.flatMap((load) => load.tables.flatMap((oid) => stageOf(examination, oid) ?? []))
			.map((stage) => part(stage, index(stage), { filter, isPlain }))
	for (const pack of packLoads(insertLoads(examination), examination.references, restore.batchRows)) {
		const isWhole = pack.length > 1 || pack.some((load) => load.internal)
		const batchRows = isWhole ? Number.MAX_SAFE_INTEGER : restore.batchRows
		const isPlain =
			pack.length === 1 && pack.every(({ tables, rows }) => tables.length === 1 && (!isWhole || rows <= plainRows))
		const share = { parts: partsOf(pack, inserted, isPlain), batchRows, order: 'asc', relink: false } as const
		await append(tx, share, state)
	}
	for (const pack of packLoads(relinkLoads(examination), [], restore.batchRows)) {
		const share = {
			parts: partsOf(pack, relinked, false),
			batchRows: restore.batchRows,
			order: 'desc',
			relink: true,
		} as const
		await append(tx, share, state)
	}
	await moveEarly(tx, examination)
	await packDraft(tx, examination, restore.id)
	const spans = await readSpans(tx, restore.id)
	await tx.unsafe(`drop table ${draft}`)
	await reportSuperseded(tx, examination, restore.id, state.seq)
	return {
		tables: examination.tables.map((table, t) => ({
			...{ name: table.name, oid: table.stage?.live.oid ?? 0 },
			...spans.get(t),
		})),
		batches: state.batch,
		done: 0,
	}
}

/** A row for each table of each batch: one for each change would cost as much as writing the change. */
async function packDraft(tx: Transaction, examination: Examination, id: string): Promise<void> {
	const tables = examination.tables.map(({ name, stage }, t) => ({ t, name, key: stage?.live.key ?? [] }))
	const arrays = ['seq', 'timeline', 'position', 'ordinal', 'relink', 'seen', 'key'].map(
		(column) => `array_agg(d.${column} order by d.seq)`,
	)
	await tx.unsafe(
		`insert into reprieve.restored_shares (restore_id, batch, t, "table", key_columns, seqs, timelines, positions, ordinals,
			relinks, seens, keys, is_missing, first_position, final_position, first_ordinal, final_ordinal)
		select $1, d.batch, d.t, n.name, n.key, ${arrays.join(', ')}, bool_and(d.missing),
			min(d.position), max(d.position), min(d.ordinal), max(d.ordinal)
		from ${draft} d join json_to_recordset($2::text::json) n(t int4, name text, key text[]) on n.t = d.t
		group by d.batch, d.t, n.name, n.key`,
		[id, JSON.stringify(tables)],
	)
}

async function readSpans(tx: Transaction, id: string): Promise<Map<number, { span: Span }>> {
	const rows = await tx<{ t: number; span: Span }[]>`
		select t, json_build_object('from', min(first_position)::text, 'to', max(final_position)::text) as span
		from reprieve.restored_shares where restore_id = ${id} group by t`
	return new Map(rows.map(({ t, span }) => [t, { span }]))
}

function insertLoads(examination: Examination): (Load & { internal: boolean })[] {
	return examination.components.map((component) => {
		const rows = component.tables.map((oid) => countRows(examination, oid, false))
		return { ...component, rows: rows.reduce((sum, count) => sum + count, 0) }
	})
}

function relinkLoads(examination: Examination): Load[] {
	return examination.components.flatMap(({ tables, mode }) =>
		tables.map((oid) => ({ tables: [oid], mode, rows: countRows(examination, oid, true) })),
	)
}

function countRows(examination: Examination, oid: number, isRelink: boolean): number {
	const counts = examination.tables.find((table) => table.stage?.live.oid === oid)?.counts ?? {}
	const counted = Object.entries(counts).filter(
		([state]) => state !== 'superseded' && relinkStates.includes(state) === isRelink,
	)
	return counted.reduce((sum, [, rows]) => sum + rows, 0)
}

/** A batch that is not plain goes through stages, which need no list of its keys. */
function part(stage: Stage, t: number, { filter, isPlain }: { filter: string; isPlain: boolean }): string {
	const { book } = stage
	const columns = keyColumns(stage.live).map(({ name }) => textOf(`s.${quoteIdentifier(name)}`))
	const key = isPlain ? `array[${columns.join(', ')}]::text[]::text` : 'null::text'
	return `select ${t} as t, s.${book.timeline} as timeline, s.${book.position} as position,
		s.${book.ordinal} as ordinal, ${isPlain} and f.state = 'missing' as missing, ${key} as key,
		case when f.state = 'different' then f.version end as seen
		from ${stage.sql} s ${joinFate(stage)} where ${filter}`
}

type Share = { parts: string[]; batchRows: number; order: 'asc' | 'desc'; relink: boolean }

async function append(tx: Transaction, share: Share, state: { seq: number; batch: number }): Promise<void> {
	if (share.parts.length === 0) return
	const [row] = await tx.unsafe<{ seq: string | null; batch: number | null }[]>(
		`with added as (insert into ${draft} (seq, batch, t, timeline, position, ordinal, relink, seen, missing, key)
			select $1::int8 + place, $2::int4 + 1 + ((place - 1) / $3::int8)::int4, t, timeline, position, ordinal, $4::text::bool,
				seen, missing, key
			from (select *, row_number() over (order by missing desc, position ${share.order}, timeline ${share.order},
					ordinal ${share.order}) as place
				from (${share.parts.join(' union all ')}) all_parts) placed returning seq, batch)
		select max(seq)::text as seq, max(batch) as batch from added`,
		[state.seq, state.batch, share.batchRows, String(share.relink)],
	)
	state.seq = Number(row?.seq ?? state.seq)
	state.batch = row?.batch ?? state.batch
}

/** The relinks of a row that cannot come back as it was archived go into its own batch. */
async function moveEarly(tx: Transaction, examination: Examination): Promise<void> {
	for (const [t, { stage }] of examination.tables.entries()) {
		const [early] = stage && stage.relinks > 0 ? await tx.unsafe(`select from ${stage.fate} where early limit 1`) : []
		if (!stage || !early) continue
		const { book } = stage
		const key = keyUnique(stage.live, examination.uniques)
		const listed = (l: string, s: string) =>
			`${l}.t = ${t} and ${l}.position = ${s}.${book.position} and ${l}.ordinal = ${s}.${book.ordinal}
				and ${l}.timeline = ${s}.${book.timeline}`
		await tx.unsafe(`analyze ${draft}`)
		await tx.unsafe(`update ${draft} l set batch = whole.batch
			from ${stage.sql} s, ${stage.sql} d join ${stage.fate} f on f.n = d.${book.n} and f.state = 'missing'
				join ${draft} whole on ${listed('whole', 'd')}
			where l.relink and ${listed('l', 's')} and ${sameKey(stage.live, key, 's', 'd')} and exists (
				select from ${stage.sql} e join ${stage.fate} g on g.n = e.${book.n} and g.early
				where ${sameKey(stage.live, key, 'e', 'd')})`)
	}
}

async function reportSuperseded(tx: Transaction, examination: Examination, id: string, from: number): Promise<void> {
	let n = from
	for (const { stage, name, counts } of examination.tables) {
		if (!stage || !counts.superseded) continue
		const done = await tx.unsafe(
			`insert into reprieve.restored_rows (restore_id, n, "table", key, change_id, state, message)
			select $1, $2::int8 + row_number() over (), $3, ${keyObject(stage.live, 's')}, ${changeOf(stage, 's')}, 'superseded',
				'a newer deletion of the same key is restored'
			from ${stage.sql} s join ${stage.fate} f on f.n = s.${stage.book.n} where f.state = 'superseded'`,
			[id, n, name],
		)
		n += done.count
	}
}
