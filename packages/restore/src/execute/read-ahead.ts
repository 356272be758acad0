import { type ChangeRows, parseTableName } from '@reprieve/contracts'
import type { Session } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { RestoreCursor } from './enlist.ts'
import { readShares, type Share } from './shares.ts'

/** A batch of the list, and what the archive has of it: per table of the cursor, in the order of the log. */
export type BatchSource = { batch: number; shares: Share[]; rows: Map<number, AsyncIterable<ChangeRows>> }

/** Bytes of values that are held of a batch before its transaction asks for them. */
const aheadBytes = 16 * 1024 * 1024

/** Where the batches of a restore are read from; `sql` is not the session that writes them. */
export type BatchArchive = { sql: Session; vault: Vault; id: string; cursor: RestoreCursor }

/**
 * Reads a batch of a restore from list and vault, up to a bound of memory; to be called before its transaction begins: it takes
 * another connection, and however long the archive takes.
 */
export async function readBatch({ sql, vault, id, cursor }: BatchArchive, batch: number): Promise<BatchSource> {
	const shares = await readShares(sql, id, batch)
	const rows = new Map<number, AsyncIterable<ChangeRows>>()
	let left = aheadBytes
	for (const { t, positions, ordinals } of shares) {
		const changes = positions.map((position, i) => ({ position, ordinal: ordinals[i] as number }))
		const read = vault.table(parseTableName(cursor.tables[t]?.name ?? '')).read({ changes })
		const begun = await begin(read, left)
		left -= begun.bytes
		rows.set(t, begun.rows)
	}
	return { batch, shares, rows }
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
