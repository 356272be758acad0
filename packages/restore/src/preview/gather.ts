import { formatTableName, type SourceTable, type TableName } from '@reprieve/contracts'
import { arrayLiteral, describeTables, findTables, type Transaction } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { driftCode, ownEntry } from '../drift/map-columns.ts'
import { wantedRows } from '../selection/filter.ts'
import type { TableRequest } from '../selection/resolve.ts'
import type { Timelines } from '../selection/timelines.ts'
import { openStages, type Stage, stageRows, versionOf } from '../stage/open.ts'

/** A table of the selection: staged when there is a live table to stage it for. */
export type Gathered = {
	name: string
	requests: TableRequest[]
	stage?: Stage
	/** Rows that drift keeps out of the stage. */
	drifted: number
}

export type GatherContext = { vault: Vault; timelines: Timelines; rename: Record<string, Record<string, string>> }

/** Reads the requests' rows from the vault into one stage per table. */
export async function gather(tx: Transaction, context: GatherContext, requests: TableRequest[]): Promise<Gathered[]> {
	const byTable = [...Map.groupBy(requests, (request) => formatTableName(request.table))]
	const lives = await findLives(
		tx,
		context.vault,
		byTable.map(([, of]) => (of[0] as TableRequest).table),
	)
	const stages = await openStages(
		tx,
		byTable.flatMap(([archivedName], i) => (lives[i] ? [{ live: lives[i], archivedName }] : [])),
	)
	const stageOf = new Map(stages.map((stage) => [stage.archivedName, stage]))
	const gathered: Gathered[] = []
	for (const [name, of] of byTable) {
		const stage = stageOf.get(name)
		const table: Gathered = { name, requests: of, stage, drifted: 0 }
		for (const request of of) await gatherRequest(tx, context, table, request)
		if (stage && of.length > 1) await dropTwins(tx, stage)
		gathered.push(table)
	}
	return gathered
}

/** Two requests may have brought the same change. */
async function dropTwins(tx: Transaction, { bookTable, book }: Stage): Promise<void> {
	await tx.unsafe(`delete from ${bookTable} a using ${bookTable} b
		where a.${book.change} = b.${book.change} and a.${book.n} > b.${book.n}`)
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
	for await (const rows of context.vault.table(request.table).read(request.query)) {
		const wanted = await wantedRows(tx, request, rows)
		const at = await context.timelines.choose({ rows, at: wanted }, request.timeline)
		if (at.length === 0) continue
		const { stage } = table
		const version = stage && versionOf(stage, rows.table, ownEntry(context.rename, table.name) ?? {})
		const whole = stage?.maps[version ?? 0]?.findings.every((finding) => finding.code !== driftCode)
		if (!stage || version === undefined || !whole) {
			table.drifted += at.length
			continue
		}
		await stageRows(tx, stage, { rows, at, timeline: (row) => context.timelines.of(rows, row) }, version)
	}
}
