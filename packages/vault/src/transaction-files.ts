import type { ArchivedTransaction, TextColumn } from '@reprieve/contracts'
import { type Place, readWhole } from './archive.ts'
import type { SegmentFile } from './log/actions.ts'
import { digestOf } from './seal.ts'
import { buildCells, cellsOf } from './segment/cells.ts'
import { type EncodedColumn, encodeColumn, joinColumns } from './segment/encode.ts'
import { openParquet, type ParquetFile } from './segment/parquet.ts'
import { putSegment } from './segment/put.ts'
import { formatRange, rangeOf } from './segment/range.ts'
import { statisticsOf } from './segment/statistics.ts'
import type { DeltaType } from './values/codec.ts'
import { formatTimestamp, parseTimestamp } from './values/instant.ts'
import { codecOf } from './values/types.ts'
import type { RecordedTransaction } from './vault.ts'

/** A transaction as the log of transactions has it. */
export type Stored = Omit<RecordedTransaction, 'isUndone'>
type Cells = (string | null)[]
type Column = (typeof columns)[number]
type Row = { [K in Column['name']]: string | null }

/** Columns of the log of transactions; nested values are JSON text. */
export const columns = [
	{ name: 'position', type: 'long' },
	{ name: 'timeline', type: 'integer' },
	{ name: 'end', type: 'long' },
	{ name: 'xid', type: 'long' },
	{ name: 'committed_at', type: 'timestamp' },
	{ name: 'kind', type: 'string' },
	{ name: 'id', type: 'string' },
	{ name: 'actor', type: 'string' },
	{ name: 'rows', type: 'string' },
	{ name: 'tag', type: 'string' },
	{ name: 'seal', type: 'string' },
	{ name: 'claim', type: 'string' },
	{ name: 'barriers', type: 'string' },
	{ name: 'lineage', type: 'string' },
] as const satisfies { name: string; type: DeltaType }[]

/** Those whose statistics tell nothing of anybody's values. */
const openColumns = ['position', 'timeline', 'end', 'xid', 'committed_at', 'kind', 'id', 'lineage']

/** Records by column. */
type Columns = { positions: BigUint64Array; textsOf: (column: Column) => TextColumn | Promise<TextColumn> }

/** The records of some files in order. One column is held at a time: as objects they are ten times as large. */
export async function gatherColumns(place: Place, files: readonly SegmentFile[]): Promise<Columns> {
	const inputs: ParquetFile[] = []
	for (const file of files) inputs.push(openParquet(await readWhole(place, file)))
	const placed: { input: number; row: number; position: Stored['position'] }[] = []
	for (const [input, parquet] of inputs.entries()) {
		const timelines = (await parquet.readAll('timeline')) as number[]
		for (const [row, lsn] of ((await parquet.readAll('position')) as bigint[]).entries())
			placed.push({ input, row, position: { lsn, timeline: timelines[row] as number } })
	}
	placed.sort(byPosition)
	return {
		positions: BigUint64Array.from(placed, ({ position }) => position.lsn),
		async textsOf({ name, type }) {
			const { decode } = codecOf(type)
			const values: unknown[][] = []
			for (const parquet of inputs) values.push(await parquet.readAll(name))
			const builder = buildCells(placed.length)
			for (const { input, row } of placed) {
				const value = values[input]?.[row]
				builder.push(value === null || value === undefined ? null : decode(value))
			}
			return builder.finish()
		},
	}
}

/** Puts records, in order, into a file of the log. */
export async function writeTransactions(
	place: Place,
	transactions: readonly Stored[],
	modifiedAt: number,
): Promise<SegmentFile> {
	const rows = transactions.map(rowOf)
	const positions = BigUint64Array.from(transactions, ({ position }) => position.lsn)
	return await writeColumns(
		place,
		{ positions, textsOf: ({ name }) => cellsOf(rows.map((row) => row[name])) },
		modifiedAt,
	)
}

/** The same of records by column. */
export async function writeColumns(
	place: Place,
	{ positions, textsOf }: Columns,
	modifiedAt: number,
): Promise<SegmentFile> {
	const count = positions.length
	const encoded: EncodedColumn[] = []
	for (const column of columns) {
		const { name, type } = column
		encoded.push(encodeColumn({ name, encoded: codecOf(type).encode(await textsOf(column), 0, count) }, count))
	}
	const bytes = joinColumns(encoded, count)
	const path = `data/${place.newId()}.parquet`
	const range = formatRange(rangeOf({ position: positions, ordinal: new Uint32Array(count) }, 0, count))
	const segment = { path, bytes, sha256: digestOf(bytes), stats: statisticsOf(encoded, count) }
	return { ...(await putSegment(place, segment, openColumns)), modifiedAt, range }
}

function rowOf(transaction: Stored): Row {
	const { position, tag, seal, claim, lineage } = transaction
	const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value))
	return {
		position: String(position.lsn),
		timeline: String(position.timeline),
		end: String(transaction.end),
		xid: String(transaction.xid),
		committed_at: formatTimestamp(transaction.committedAt),
		kind: tag?.kind ?? null,
		id: tag?.id ?? null,
		actor: tag?.actor ?? claim?.actor ?? null,
		rows: json(transaction.rows),
		tag: json(tag),
		seal: json(seal),
		claim: json(claim),
		barriers: json(transaction.barriers),
		lineage: lineage ?? null,
	}
}

function transactionOf(row: Row): Stored {
	const json = <K extends 'tag' | 'seal' | 'claim'>(key: K) =>
		row[key] === null ? {} : { [key]: JSON.parse(row[key]) as ArchivedTransaction[K] }
	return {
		position: { timeline: Number(row.timeline), lsn: BigInt(row.position as string) },
		end: BigInt(row.end as string),
		xid: Number(row.xid),
		committedAt: parseTimestamp(row.committed_at as string) as bigint,
		rows: JSON.parse(row.rows as string) as ArchivedTransaction['rows'],
		...json('tag'),
		...json('seal'),
		...json('claim'),
		barriers: JSON.parse(row.barriers as string) as string[],
		...(row.lineage === null ? {} : { lineage: row.lineage }),
	}
}

/** The records of a file, in its order. */
export async function transactionsIn(place: Place, file: SegmentFile): Promise<Stored[]> {
	const parquet = openParquet(await readWhole(place, file))
	const cells = new Map<string, Cells>()
	for (const { name, type } of columns) {
		const { decode } = codecOf(type)
		const values = await parquet.readAll(name)
		cells.set(
			name,
			values.map((value) => (value === null || value === undefined ? null : Buffer.from(decode(value)).toString())),
		)
	}
	const count = cells.get('position')?.length ?? 0
	return Array.from({ length: count }, (_, row) =>
		transactionOf(Object.fromEntries(columns.map(({ name }) => [name, cells.get(name)?.[row] ?? null])) as Row),
	)
}

/** Orders records as the log does. */
export function byPosition(a: Pick<Stored, 'position'>, b: Pick<Stored, 'position'>): number {
	if (a.position.lsn !== b.position.lsn) return a.position.lsn < b.position.lsn ? -1 : 1
	return a.position.timeline - b.position.timeline
}
