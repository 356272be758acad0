import { type ChangeRows, parseTableName } from '@reprieve/contracts'
import type { Session } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { listTable, type RestoreCursor } from './enlist.ts'

/** A change of a restore's list. */
export type Listed = {
	seq: number
	t: number
	timeline: number
	position: string
	ordinal: number
	relink: boolean
	seen: string | null
}

/** A batch's share of the list, and what the archive has of it: per table of the cursor, in the order of the log. */
export type BatchSource = { batch: number; list: Listed[]; rows: Map<number, AsyncIterable<ChangeRows>> }

/** Reads batches of one restore from list and vault; one may be read while the one before it is written. */
export type BatchReader = {
	/** To be called before the batch's transaction begins: it takes another connection, and however long the archive takes. */
	take(batch: number): Promise<BatchSource>
	/** Begins to read a batch, up to a bound of memory; what fails is thrown to who takes it. */
	prepare(batch: number): void
}

/** Bytes of values that are held of a batch that nobody has taken. */
const aheadBytes = 16 * 1024 * 1024

/** A reader of a restore's batches; `sql` is not the session that writes them. */
export function openBatches(archive: { sql: Session; vault: Vault; id: string; cursor: RestoreCursor }): BatchReader {
	let ahead: { batch: number; source: Promise<BatchSource> } | undefined
	return {
		async take(batch) {
			const source = ahead?.batch === batch ? ahead.source : readBatch(archive, batch)
			ahead = undefined
			return await source
		},
		prepare(batch) {
			if (batch > archive.cursor.batches) return
			const source = readBatch(archive, batch)
			source.catch(() => {})
			ahead = { batch, source }
		},
	}
}

async function readBatch(
	{ sql, vault, id, cursor }: { sql: Session; vault: Vault; id: string; cursor: RestoreCursor },
	batch: number,
): Promise<BatchSource> {
	const list = await readList(sql, id, batch)
	const rows = new Map<number, AsyncIterable<ChangeRows>>()
	let left = aheadBytes
	for (const [t, share] of Map.groupBy(list, (row) => row.t)) {
		const changes = share.map((row) => ({ position: BigInt(row.position), ordinal: row.ordinal }))
		const read = vault.table(parseTableName(cursor.tables[t]?.name ?? '')).read({ changes })
		const begun = await begin(read, left)
		left -= begun.bytes
		rows.set(t, begun.rows)
	}
	return { batch, list, rows }
}

/** One table's share of a batch, column by column. */
type Share = {
	t: number
	seqs: number[]
	timelines: number[]
	positions: string[]
	ordinals: number[]
	relinks: boolean[]
	seens: (string | null)[]
}

async function readList(sql: Session, id: string, batch: number): Promise<Listed[]> {
	const shares = await sql.unsafe<Share[]>(
		`select t, array_to_json(seqs) as seqs, array_to_json(timelines) as timelines,
			array_to_json(positions::text[]) as positions, array_to_json(ordinals) as ordinals,
			array_to_json(relinks) as relinks, array_to_json(seens) as seens
		from ${listTable(id)} where batch = $1 order by t`,
		[batch],
	)
	return shares.flatMap(({ t, seqs, timelines, positions, ordinals, relinks, seens }) =>
		seqs.map((seq, i) => ({
			...{ seq, t, timeline: timelines[i] as number, position: positions[i] as string },
			...{ ordinal: ordinals[i] as number, relink: relinks[i] as boolean, seen: seens[i] ?? null },
		})),
	)
}

/** Reads the beginning, at most a chunk more than the bound allows; the rest is read when it is asked for. */
async function begin(
	read: AsyncIterable<ChangeRows>,
	mostBytes: number,
): Promise<{ rows: AsyncIterable<ChangeRows>; bytes: number }> {
	const rest = read[Symbol.asyncIterator]()
	const held: ChangeRows[] = []
	let bytes = 0
	while (bytes < mostBytes) {
		const next = await rest.next()
		if (next.done) break
		held.push(next.value)
		for (const column of next.value.columns) bytes += column.bytes.length
	}
	return { rows: continued(held, rest), bytes }
}

async function* continued(held: ChangeRows[], rest: AsyncIterator<ChangeRows>): AsyncIterable<ChangeRows> {
	for (let rows = held.shift(); rows; rows = held.shift()) yield rows
	for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}
