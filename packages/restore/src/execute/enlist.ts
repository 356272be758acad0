import { quoteIdentifier, ReprieveError, type SourceTable } from '@reprieve/contracts'
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

/** Where the list is made when rows of it have to change their batch before each batch's share becomes one row. */
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
	const isMoved = await hasEarly(tx, examination)
	const list: List = { examination, id: restore.id, isMoved, seq: 0, batch: 0 }
	if (isMoved) {
		await tx.unsafe(`create temp table draft (seq int8, batch int4, t int4, timeline int4, position int8, ordinal int8,
			relink bool, seen text, missing bool, key text) on commit drop`)
	}
	for (const pack of packLoads(insertLoads(examination), examination.references, restore.batchRows)) {
		await appendInserts(tx, list, pack, restore.batchRows)
	}
	for (const pack of packLoads(relinkLoads(examination), [], restore.batchRows)) {
		const { batchRows } = restore
		const share = { parts: partsOf(list, pack, { filter: relinked, isPlain: false }), rows: rowsOf(pack), batchRows }
		await append(tx, list, { ...share, order: 'desc', relink: true })
	}
	if (isMoved) {
		await moveEarly(tx, examination)
		await packRows(tx, list, draft)
		await tx.unsafe(`drop table ${draft}`)
	}
	const spans = await readSpans(tx, restore.id)
	await reportSuperseded(tx, examination, restore.id, list.seq)
	return {
		tables: examination.tables.map((table, t) => ({
			...{ name: table.name, oid: table.stage?.live.oid ?? 0 },
			...spans.get(t),
		})),
		batches: list.batch,
		done: 0,
	}
}

/** A list that is being made: `seq` and `batch` are the last ones given. */
type List = { examination: Examination; id: string; isMoved: boolean; seq: number; batch: number }

/** Missing rows of a table have batches of their own: what goes through stages keeps none of them from going straight. */
async function appendInserts(
	tx: Transaction,
	list: List,
	pack: (Load & { internal: boolean })[],
	most: number,
): Promise<void> {
	const isWhole = pack.length > 1 || pack.some((load) => load.internal)
	const batchRows = isWhole ? Number.MAX_SAFE_INTEGER : most
	const isPlain =
		pack.length === 1 && pack.every(({ tables, rows }) => tables.length === 1 && (!isWhole || rows <= plainRows))
	const rows = rowsOf(pack)
	const share = (filter: string, some: number) =>
		append(tx, list, {
			...{ parts: partsOf(list, pack, { filter, isPlain }), rows: some, batchRows },
			isNumbered: isNumbered(list.examination, pack, some),
			order: 'asc',
			relink: false,
		})
	if (isWhole) return await share(inserted, rows)
	const missing = pack.reduce((sum, { tables }) => sum + countMissing(list.examination, tables), 0)
	await share("f.state = 'missing'", missing)
	await share(`${inserted} and f.state <> 'missing'`, rows - missing)
}

/** Whether so many rows are all those of one stage, which came in the order of the log and are numbered from 0 as they came. */
function isNumbered(examination: Examination, pack: Load[], rows: number): boolean {
	const [stage, ...others] = stagesOf(examination, pack)
	return others.length === 0 && stage?.rows === rows && stage.places?.digest() !== undefined
}

function rowsOf(pack: Load[]): number {
	return pack.reduce((sum, load) => sum + load.rows, 0)
}

function countMissing({ tables }: Examination, oids: number[]): number {
	const own = tables.filter(({ stage }) => stage && oids.includes(stage.live.oid))
	return own.reduce((sum, { counts }) => sum + (counts.missing ?? 0), 0)
}

function stagesOf(examination: Examination, pack: Load[]): Stage[] {
	return pack.flatMap((load) => load.tables.flatMap((oid) => stageOf(examination, oid) ?? []))
}

function partsOf({ examination }: List, pack: Load[], by: { filter: string; isPlain: boolean }): string[] {
	return stagesOf(examination, pack).map((stage) =>
		part(
			stage,
			examination.tables.findIndex((table) => table.stage === stage),
			by,
		),
	)
}

/** A row for each table of each batch: one for each change would cost as much as writing the change. Answers how many changes. */
async function packRows(tx: Transaction, { examination, id }: List, rows: string): Promise<number> {
	const tables = examination.tables.map(({ name, stage }, t) => ({ t, name, key: stage?.live.key ?? [] }))
	const arrays = ['seq', 'timeline', 'position', 'ordinal', 'relink', 'seen', 'key'].map(
		(column) => `array_agg(d.${column} order by d.seq)`,
	)
	const packed = await tx.unsafe<{ rows: number }[]>(
		`insert into reprieve.restored_shares (restore_id, batch, t, "table", key_columns, seqs, timelines, positions, ordinals,
			relinks, seens, keys, is_missing, first_position, final_position, first_ordinal, final_ordinal)
		select $1, d.batch, d.t, n.name, n.key, ${arrays.join(', ')}, bool_and(d.missing),
			min(d.position), max(d.position), min(d.ordinal), max(d.ordinal)
		from ${rows} d join json_to_recordset($2::text::json) n(t int4, name text, key text[]) on n.t = d.t
		group by d.batch, d.t, n.name, n.key returning cardinality(seqs) as rows`,
		[id, JSON.stringify(tables)],
	)
	return packed.reduce((sum, { rows: some }) => sum + some, 0)
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
	return `select ${t} as t, s.${book.n} as n, s.${book.timeline} as timeline, s.${book.position} as position,
		s.${book.ordinal} as ordinal, ${isPlain} and f.state = 'missing' as missing, ${isPlain ? keyText(stage.live) : 'null::text'} as key,
		case when f.state = 'different' then f.version end as seen
		from ${stage.sql} s ${joinFate(stage)} where ${filter}`
}

/** int2, int4, int8, oid and uuid: their text has nothing that an array's text would quote. */
const bare = new Set([20, 21, 23, 26, 2950])

/** SQL of the text of an array of the key's own texts. */
function keyText(live: SourceTable): string {
	const columns = keyColumns(live)
	const own = columns.map(({ name }) => `s.${quoteIdentifier(name)}`)
	if (columns.every(({ typeOid }) => bare.has(typeOid))) return `'{' || ${own.join(" || ',' || ")} || '}'`
	return `array[${own.map(textOf).join(', ')}]::text[]::text`
}

type Share = {
	parts: string[]
	rows: number
	batchRows: number
	isNumbered?: boolean
	order: 'asc' | 'desc'
	relink: boolean
}

async function append(tx: Transaction, list: List, share: Share): Promise<void> {
	const { parts, rows, batchRows, isNumbered, order, relink } = share
	if (rows === 0) return
	const place = isNumbered
		? 'n + 1'
		: `row_number() over (order by position ${order}, timeline ${order}, ordinal ${order})`
	const placed = `select ${list.seq} + place as seq, ${list.batch} + 1 + ((place - 1) / ${batchRows})::int4 as batch, t, timeline,
			position, ordinal, ${relink} as relink, seen, missing, key
		from (select *, ${place} as place from (${parts.join(' union all ')}) all_parts) all_placed`
	const listed = list.isMoved
		? (await tx.unsafe(`insert into ${draft} ${placed}`)).count
		: await packRows(tx, list, `(${placed})`)
	if (listed !== rows) throw new ReprieveError('INTERNAL', `${listed} rows were listed where ${rows} were counted`)
	list.seq += rows
	list.batch += Math.ceil(rows / batchRows)
}

async function hasEarly(tx: Transaction, { tables }: Examination): Promise<boolean> {
	for (const { stage } of tables) {
		if (!stage || stage.relinks === 0) continue
		const found = await tx.unsafe(`select from ${stage.fate} where early limit 1`)
		if (found.length > 0) return true
	}
	return false
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
