import type { Session, Transaction } from '@reprieve/postgres'

/** A table's share of a batch of a restore's list, column by column; `t` is its place among the cursor's tables. */
export type Share = {
	batch: number
	t: number
	seqs: number[]
	timelines: number[]
	positions: bigint[]
	ordinals: number[]
	relinks: boolean[]
	seens: (string | null)[]
	/** No live row had one of the keys when the list was made. */
	isMissing: boolean
}

/** A change of a restore's list. */
export type Listed = {
	seq: number
	timeline: number
	position: bigint
	ordinal: number
	relink: boolean
	seen: string | null
}

export function listedOf(share: Share): Listed[] {
	return share.seqs.map((seq, i) => ({
		...{ seq, timeline: share.timelines[i] as number, position: share.positions[i] as bigint },
		...{ ordinal: share.ordinals[i] as number, relink: share.relinks[i] as boolean, seen: share.seens[i] ?? null },
	}))
}

/** As it is read: what is the same for all rows of a share of missing ones is left out, or comes once. */
type ReadShare = Omit<Share, 'seqs' | 'positions' | 'relinks' | 'seens'> & {
	seqs: number[] | null
	positions: string[] | null
	relinks: boolean[] | null
	seens: (string | null)[] | null
	firstSeq: number
	firstPosition: string
}

/** The shares of one batch, by their places. */
export async function readShares(sql: Session, id: string, batch: number): Promise<Share[]> {
	const shares = await sql<ReadShare[]>`
		select batch, t, is_missing as "isMissing", seqs[1]::float8 as "firstSeq", first_position::text as "firstPosition",
			array_to_json(timelines) as timelines, array_to_json(ordinals) as ordinals,
			case when first_position < final_position then array_to_json(positions::text[]) end as positions,
			case when not is_missing then array_to_json(seqs) end as seqs,
			case when not is_missing then array_to_json(relinks) end as relinks,
			case when not is_missing then array_to_json(seens) end as seens
		from reprieve.restored_shares where restore_id = ${id} and batch = ${batch} order by t`
	return shares.map(toShare)
}

/** Rows of one table that are missing follow each other in the list. */
function toShare({ firstSeq, firstPosition, ...share }: ReadShare): Share {
	const { batch, t, timelines, ordinals, isMissing } = share
	const rows = ordinals.length
	return {
		...{ batch, t, timelines, ordinals, isMissing },
		seqs: share.seqs ?? Array.from(ordinals, (_, i) => firstSeq + i),
		positions: share.positions?.map(BigInt) ?? new Array(rows).fill(BigInt(firstPosition)),
		relinks: share.relinks ?? new Array(rows).fill(false),
		seens: share.seens ?? new Array(rows).fill(null),
	}
}

/** Marks a share's rows as written, all of them by this transaction. */
export async function markWritten(tx: Transaction, id: string, { batch, t }: Share): Promise<void> {
	await tx`update reprieve.restored_shares set version = pg_current_xact_id()::xid::text
		where restore_id = ${id} and batch = ${batch} and t = ${t}`
}

/** What is left of the list of a restore that is over: its report keeps the rest. */
export async function dropUnwritten(tx: Transaction, id: string): Promise<void> {
	await tx`delete from reprieve.restored_shares where restore_id = ${id} and version is null`
}

/** SQL of a FROM item: every row of every restore's report (`restore_id`, `n`, `table`, `key`, `change_id`, `state`, `message`, `version`). */
export const reportedRows = `(
	select restore_id, n, "table", key, change_id, state, message, version from reprieve.restored_rows
	union all
	select w.restore_id, c.n, w."table", jsonb_object(w.key_columns, c.key::text[]), c.timeline || '-' ||
			lpad(to_hex(c.position), 16, '0') || '-' || c.ordinal || '-' ||
			translate(encode(convert_to(w."table", 'UTF8'), 'base64'), E'+/=\\n', '-_'),
		'restored', null, w.version
	from reprieve.restored_shares w
	cross join lateral unnest(w.seqs, w.timelines, w.positions, w.ordinals, w.keys) c(n, timeline, position, ordinal, key)
	where w.version is not null)`
