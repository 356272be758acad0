import {
	type ChangeRows,
	changeOps,
	parseTableName,
	quoteTable,
	ReprieveError,
	type Row,
	type TableName,
} from '@reprieve/contracts'
import { describeTables } from '@reprieve/postgres'
import { formatChangeId } from '@reprieve/restore'
import { awaitBarrier } from '../../archive/barrier.ts'
import type { Principal, Services } from '../../context.ts'
import { isSameRow, keyColumns } from '../../plans/source.ts'
import { previewRestore } from '../preview.ts'
import { findRestore } from '../read.ts'
import { startRestore } from '../start.ts'

const barrierMs = 30_000
/** Single changes that one selection may name. */
const mostChanges = 10_000

/** `backId` is that of the restore that writes back: there already, when an earlier try of the same call queued it. */
type Undoing = { id: string; reason: string; tables: { name: string; oid: number }[]; backId: string }

/**
 * Queues the restore that writes overwritten images back, of the rows that are still as the restore left them. Answers
 * how many changed since and stay as they are. Throws ARCHIVE_LAGGING, LIMIT_EXCEEDED and what a start throws.
 */
export async function writeBackOverwritten(
	services: Services,
	principal: Principal,
	restore: Undoing,
): Promise<number> {
	const [row] = await services.control.sql<{ rows: number }[]>`
		select count(*)::int4 as rows from reprieve.restored_rows where restore_id = ${restore.id} and state = 'overwritten'`
	const overwritten = row?.rows ?? 0
	if (overwritten === 0) return 0
	const queued = await findRestore(services, restore.backId)
	if (queued) return overwritten - Number(queued.selected)
	const unchanged = await readUnchanged(services, restore)
	if (unchanged.size > mostChanges) {
		throw new ReprieveError(
			'LIMIT_EXCEEDED',
			`${unchanged.size} rows were overwritten, ${mostChanges} can be written back at once`,
		)
	}
	await awaitBarrier(services, barrierMs)
	const changes: string[] = []
	for (const { name } of restore.tables) changes.push(...(await imagesOf(services, restore.id, { name, unchanged })))
	if (changes.length > 0) {
		const input = { selection: { changes }, conflict: 'overwrite' as const }
		const { hash } = await previewRestore(services, principal, input)
		const reason = `undo of restore ${restore.id}: ${restore.reason}`
		await startRestore(services, principal, { ...input, hash, reason }, { id: restore.backId })
	}
	return overwritten - changes.length
}

/** Table and key of the overwritten rows that still have the version that the restore wrote. */
async function readUnchanged(services: Services, restore: Undoing): Promise<Set<string>> {
	const sql = services.pools.restore
	const unchanged = new Set<string>()
	for (const live of await describeTables(
		sql,
		restore.tables.map((table) => table.oid),
	)) {
		const name = restore.tables.find((table) => table.oid === live.oid)?.name ?? ''
		const key = keyColumns(live)
		const casts = key.map(({ storedType }, place) => `(r.key ->> $${place + 3})::${storedType} as k${place + 1}`)
		const rows = await sql.unsafe<{ key: Row }[]>(
			`select l.key from (select r.key, r.version, ${casts.join(', ')} from reprieve.restored_rows r
				where r.restore_id = $1 and r."table" = $2 and r.state = 'overwritten') l
			join ${quoteTable(live)} t on ${isSameRow(key, 't', 'l')} and t.xmin::text = l.version`,
			[restore.id, name, ...key.map(({ column }) => column)],
		)
		for (const row of rows)
			unchanged.add(
				identify(
					name,
					key.map(({ column }) => String(row.key[column])),
				),
			)
	}
	return unchanged
}

function identify(table: string, key: string[]): string {
	return JSON.stringify([table, ...key])
}

/** Ids of the changes that hold the images. */
async function imagesOf(
	services: Services,
	restoreId: string,
	of: { name: string; unchanged: Set<string> },
): Promise<string[]> {
	const table = parseTableName(of.name)
	const job = { kind: 'restore', id: restoreId } as const
	const timelines = new Map<bigint, number>()
	for await (const { position, isUndone } of services.vault.transactions.read({ job }))
		if (!isUndone) timelines.set(position.lsn, position.timeline)
	const ids: string[] = []
	for await (const rows of services.vault.table(table).read({ transactions: [...timelines.keys()] })) {
		ids.push(...imagesIn(rows, { ...of, table, timelines }))
	}
	return ids
}

type Wanted = { name: string; unchanged: Set<string>; table: TableName; timelines: Map<bigint, number> }

function imagesIn(rows: ChangeRows, { name, unchanged, table, timelines }: Wanted): string[] {
	const decoder = new TextDecoder()
	const columns = rows.table.key.map(
		(key) => rows.columns[rows.table.columns.findIndex((column) => column.name === key)],
	)
	const ids: string[] = []
	for (let row = 0; row < rows.count; row++) {
		if (changeOps[rows.op[row] as number] !== 'overwrite') continue
		const key = columns.map((column) =>
			decoder.decode(column?.bytes.subarray(column.offsets[row], column.offsets[row + 1])),
		)
		if (!unchanged.has(identify(name, key))) continue
		const lsn = rows.position[row] as bigint
		ids.push(
			formatChangeId({
				position: { timeline: timelines.get(lsn) ?? 1, lsn },
				ordinal: rows.ordinal[row] as number,
				table,
			}),
		)
	}
	return ids
}
