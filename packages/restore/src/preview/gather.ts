import { type ChangeRows, formatTableName, ReprieveError, type SourceTable, type TableName } from '@reprieve/contracts'
import { arrayLiteral, describeTables, findTables, type Transaction } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { readReferences } from '../catalog/references.ts'
import { readUniques } from '../catalog/uniques.ts'
import { driftCode, mapColumns, ownEntry } from '../drift/map-columns.ts'
import { wantedRows } from '../selection/filter.ts'
import type { TableRequest } from '../selection/resolve.ts'
import type { Timelines } from '../selection/timelines.ts'
import { changeOf, dropStages, openStages, type Stage, stagedColumns, stageRows, versionOf } from '../stage/open.ts'
import { openPlaces } from '../stage/places.ts'
import { comparedColumns } from './compared.ts'

/** A table of the selection: staged when there is a live table to stage it for. */
export type Gathered = {
	name: string
	requests: TableRequest[]
	stage?: Stage
	/** There is no live table. */
	isGone: boolean
	/** Rows that drift keeps out of the stage. */
	drifted: number
}

export type GatherContext = {
	vault: Vault
	timelines: Timelines
	rename: Record<string, Record<string, string>>
	/** Stages need no more than what rows are told missing by. */
	isNarrow: boolean
}

/** Reads the requests' rows from the vault into one stage per table. */
export async function gather(tx: Transaction, context: GatherContext, requests: TableRequest[]): Promise<Gathered[]> {
	const byTable = [...Map.groupBy(requests, (request) => formatTableName(request.table))]
	const lives = await findLives(
		tx,
		context.vault,
		byTable.map(([, of]) => (of[0] as TableRequest).table),
	)
	const compared = context.isNarrow ? await readCompared(tx, lives) : new Map()
	const stages = await openStages(
		tx,
		byTable.flatMap(([archivedName], i) =>
			lives[i] ? [{ live: lives[i], archivedName, only: compared.get(lives[i].oid) }] : [],
		),
	)
	const stageOf = new Map(stages.map((stage) => [stage.archivedName, stage]))
	for (const stage of stages) stage.places = openPlaces()
	const gathered: Gathered[] = []
	for (const [name, of] of byTable) {
		const stage = stageOf.get(name)
		const table: Gathered = { name, requests: of, stage, isGone: stage === undefined, drifted: 0 }
		for (const request of of) await gatherRequest(tx, context, table, request)
		if (stage && of.length > 1) await dropTwins(tx, stage)
		gathered.push(table)
	}
	await requireOneName(tx, gathered)
	return gathered
}

/**
 * A table that was renamed has its older rows under another name. Which of two versions of a row is the newer cannot be told from
 * two stages: only one may have rows, and the others go. Throws INVALID.
 */
async function requireOneName(tx: Transaction, gathered: Gathered[]): Promise<void> {
	const staged = gathered.filter(({ stage }) => stage)
	for (const [, tables] of Map.groupBy(staged, ({ stage }) => stage?.live.oid)) {
		if (tables.length === 1) continue
		const [first, second] = tables.filter(({ stage, drifted }) => (stage?.rows ?? 0) + drifted > 0)
		if (first?.stage && second) {
			throw new ReprieveError(
				'INVALID',
				`${first.name} and ${second.name} are one table by now, ${formatTableName(first.stage.live)}`,
				{
					hint: 'Restore the rows of each name by itself (selection {table, from, to}), those of its last name first.',
				},
			)
		}
		const others = tables.filter((table) => table !== (first ?? tables[0]))
		await dropStages(
			tx,
			others.flatMap(({ stage }) => stage ?? []),
		)
		for (const table of others) table.stage = undefined
	}
}

async function readCompared(
	tx: Transaction,
	tables: (SourceTable | undefined)[],
): Promise<Map<number, ReadonlySet<string> | undefined>> {
	const lives = tables.filter((table) => table !== undefined)
	const oids = lives.map((live) => live.oid)
	const catalog = { uniques: await readUniques(tx, oids), references: await readReferences(tx, oids) }
	return new Map(lives.map((live) => [live.oid, comparedColumns(live, catalog)]))
}

/** Two requests may have brought the same change. */
async function dropTwins(tx: Transaction, stage: Stage): Promise<void> {
	const { bookTable, book } = stage
	const twins = await tx.unsafe(`delete from ${bookTable} a using ${bookTable} b
		where a.${book.position} = b.${book.position} and a.${book.ordinal} = b.${book.ordinal}
			and ${changeOf(stage, 'a')} = ${changeOf(stage, 'b')} and a.${book.n} > b.${book.n}`)
	stage.rows -= twins.count
}

/** The live table of each archived one: the same OID under whatever name, else the same name. */
async function findLives(tx: Transaction, vault: Vault, tables: TableName[]): Promise<(SourceTable | undefined)[]> {
	const named = await findTables(tx, tables)
	const newest: (number | undefined)[] = []
	for (const table of tables) newest.push((await vault.table(table).schemas()).at(-1)?.oid)
	const oids = [...new Set([...newest, ...named.map((found) => found?.oid)].filter((oid) => oid !== undefined))]
	const described = new Map((await describeTables(tx, oids)).map((table) => [table.oid, table]))
	const partitions = await readPartitions(tx, oids)
	return tables.map((_, i) => {
		const [same, found] = [newest[i] ?? 0, named[i]?.oid ?? 0]
		return (partitions.has(same) ? undefined : described.get(same)) ?? described.get(found)
	})
}

async function readPartitions(tx: Transaction, oids: number[]): Promise<Set<number>> {
	const rows = await tx<{ oid: number }[]>`
		select oid::int8::float8 as oid from pg_class where oid = any(${arrayLiteral(oids)}::oid[]) and relispartition`
	return new Set(rows.map((row) => Number(row.oid)))
}

async function gatherRequest(
	tx: Transaction,
	context: GatherContext,
	table: Gathered,
	request: TableRequest,
): Promise<void> {
	const { stage } = table
	const rename = ownEntry(context.rename, table.name) ?? {}
	const columns = stage?.only && !request.where && ((of: SourceTable) => wantedOf(stage, of, rename))
	const read = context.vault.table(request.table).read({ ...request.query, ...(columns && { columns }) })
	for await (const rows of oneAhead(read)) {
		const wanted = await wantedRows(tx, request, rows)
		const at = await context.timelines.choose({ rows, at: wanted }, request.timeline)
		if (at.length === 0) continue
		const version = stage && versionOf(stage, rows.table, rename)
		const whole = stage?.maps[version ?? 0]?.findings.every((finding) => finding.code !== driftCode)
		if (!stage || version === undefined || !whole) {
			table.drifted += at.length
			continue
		}
		await stageRows(tx, stage, { rows, at, timeline: (row) => context.timelines.of(rows, row) }, version)
	}
}

/** Reads the next chunk while the server takes the one before. */
async function* oneAhead(chunks: AsyncIterable<ChangeRows>): AsyncGenerator<ChangeRows> {
	const rest = chunks[Symbol.asyncIterator]()
	for (let next = rest.next(); ; ) {
		const { done, value } = await next
		if (done) return
		next = rest.next()
		// Thrown when it is asked for, which is never where the server has refused the one before.
		next.catch(() => {})
		yield value
	}
}

/** Places of the archived columns of which a stage takes values, where it takes any row: that is not known yet. */
function wantedOf(stage: Stage, archived: SourceTable, rename: Record<string, string>): ReadonlySet<number> {
	return new Set(stagedColumns(stage, mapColumns(archived, stage.live, rename)).map((column) => column.from))
}
