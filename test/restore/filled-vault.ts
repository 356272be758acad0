import { pathToFileURL } from 'node:url'
import {
	type ArchivedTransaction,
	type ChangeRows,
	formatTableName,
	type Position,
	parseTableName,
	quoteIdentifier,
	quoteTable,
	type SourceTable,
	type Tag,
	type TextColumn,
} from '@reprieve/contracts'
import { describeTable, findTable, type Session } from '@reprieve/postgres'
import { openVaultAt, type Vault } from '@reprieve/vault'

/** A file vault that the test itself fills, as capture would. */
export type FilledVault = Vault & {
	/** The source that commits name. */
	lineage: string
	/** Deletes the rows that `where` (SQL over alias t) matches and archives them as one transaction. */
	deleteRows(sql: Session, table: string, where: string, job?: { run: string }): Promise<bigint>
	/** Archives rows as `deleteRows` does, without touching them. */
	archiveRows(sql: Session, table: string, where: string): Promise<bigint>
	/** Archives changes as one transaction; answers its position. */
	transaction(rows: Archived[], job?: { run: string }): Promise<bigint>
	/** Archives changes at a position that the first timeline has too, as a transaction of the second; both count. */
	onSecondTimeline(rows: Archived[], position: bigint): Promise<void>
	/** The rows as changes of kind delete. */
	copy(sql: Session, table: string, where: string): Promise<Archived[]>
}

type Archived = {
	table: SourceTable
	values: (string | null)[]
	op: number
	rewritten: Record<string, string | null> | null
	position: bigint
	ordinal: number
}

/** Opens a vault in a folder. */
export function filledVault(folder: string): FilledVault {
	const vault = openVaultAt(pathToFileURL(folder).href, 'test')
	let next = 0x1000n

	async function copy(sql: Session, name: string, where: string): Promise<Archived[]> {
		const found = await findTable(sql, parseTableName(name))
		const table = (await describeTable(sql, found?.oid ?? 0)) as SourceTable
		const texts = table.columns.map((column) => {
			const value = `t.${quoteIdentifier(column.name)}`
			return column.generated ? 'null' : `case when ${value} is distinct from null then format('%s', ${value}) end`
		})
		const rows = await sql.unsafe<{ v: (string | null)[] }[]>(
			`select to_json(array[${texts.join(', ')}]::text[]) as v from ${quoteTable(table)} t where ${where}`,
		)
		return rows.map((row) => ({ table, values: row.v, op: 0, rewritten: null, position: 0n, ordinal: 0 }))
	}

	async function transaction(changes: Archived[], job?: { run: string }): Promise<bigint> {
		const position = next
		next += 0x10n
		await record(changes, { timeline: 1, lsn: position }, job)
		return position
	}

	async function record(changes: Archived[], place: Position, job?: { run: string }): Promise<void> {
		const { timeline, lsn: position } = place
		const source = timeline === 1 ? filled.lineage : `${filled.lineage}@${timeline}`
		const placed = changes.map((change, ordinal) => ({ ...change, position, ordinal }))
		const counts: ArchivedTransaction['rows'] = {}
		for (const [name, rows] of Map.groupBy(placed, (change) => formatTableName(change.table))) {
			counts[name] = {
				deleted: rows.filter((row) => row.op === 0).length,
				relinked: rows.filter((row) => row.op === 1).length,
			}
			const table = filled.table(parseTableName(name))
			await table.commit({ source, position, segments: await table.write(chunk(rows, timeline)) })
		}
		const tag: Tag = {
			kind: 'run',
			lineage: filled.lineage,
			xid: '1',
			id: job?.run ?? '',
			batch: 1,
			actor: 'a',
			reason: 'test',
		}
		const archived: ArchivedTransaction = {
			position: place,
			end: position + 8n,
			xid: Number(position) + timeline,
			committedAt: committedAt(position),
			rows: counts,
			barriers: [],
			...(job && { tag }),
		}
		const { lineage } = filled
		await filled.transactions.append({ source, lineage, position, transactions: [archived] })
	}

	const filled: FilledVault = {
		...vault,
		lineage: '',
		copy,
		transaction,
		onSecondTimeline: (rows, lsn) => record(rows, { timeline: 2, lsn }),
		async deleteRows(sql, table, where, job) {
			const gone = await copy(sql, table, where)
			await sql.unsafe(`delete from ${quoteTable(parseTableName(table))} t where ${where}`)
			return await transaction(gone, job)
		},
		archiveRows: async (sql, table, where) => await transaction(await copy(sql, table, where)),
	}
	return filled
}

/** When the transaction of a position was committed, in microseconds since 1970. */
export function committedAt(position: bigint): bigint {
	return 1_700_000_000_000_000n + position
}

function chunk(rows: Archived[], timeline: number): ChangeRows {
	const table = (rows[0] as Archived).table
	return {
		table,
		count: rows.length,
		columns: table.columns.map((_, index) => textColumn(rows.map((row) => row.values[index] ?? null))),
		op: Uint8Array.from(rows, (row) => row.op),
		position: BigUint64Array.from(rows, (row) => row.position),
		ordinal: Uint32Array.from(rows, (row) => row.ordinal),
		xid: Uint32Array.from(rows, (row) => Number(row.position) + timeline),
		committedAt: BigInt64Array.from(rows, (row) => committedAt(row.position)),
		leaf: rows.map(() => null),
		rewritten: rows.map((row) => row.rewritten),
	}
}

function textColumn(values: (string | null)[]): TextColumn {
	const spans = values.map((value) => Buffer.from(value ?? ''))
	let end = 0
	const offsets = [0, ...spans.map((span) => (end += span.length))]
	return {
		bytes: Buffer.concat(spans),
		offsets: Uint32Array.from(offsets),
		present: Uint8Array.from(values, (value) => (value === null ? 0 : 1)),
	}
}
