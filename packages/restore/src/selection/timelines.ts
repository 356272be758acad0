import type { ChangeRows } from '@reprieve/contracts'
import type { RecordedTransaction, Vault } from '@reprieve/vault'

/** Rows of a chunk, by their indices. */
type Rows = { rows: ChangeRows; at: ArrayLike<number> }

/** Timelines of archived rows, and what else their transactions deleted; read from the vault as rows come up. */
export type Timelines = {
	learn(chunk: Rows): Promise<void>
	of(rows: ChangeRows, row: number): number
	/** The rows of one timeline; of any, those that are not undone by a promotion. */
	choose(chunk: Rows, timeline?: number): Promise<Uint32Array>
	/** Tables (formatTableName) in which the transactions of the rows chosen so far deleted or relinked rows, with how many. */
	rows(): Map<string, number>
}

/** `fallback` is the timeline of transactions that have no record yet. */
export function openTimelines(vault: Vault, fallback: number): Timelines {
	const asked = new Set<bigint>()
	let newest = -1n
	/** Two timelines may have a transaction each at one position. */
	const known = new Map<string, RecordedTransaction>()
	const met = new Set<string>()
	const counts = new Map<string, number>()
	const meet = (identity: string) => {
		const transaction = known.get(identity)
		if (!transaction || met.has(identity)) return
		met.add(identity)
		for (const [table, count] of Object.entries(transaction.rows))
			counts.set(table, (counts.get(table) ?? 0) + count.deleted + count.relinked)
	}
	const identify = identifying()
	const of: Timelines['of'] = (rows, row) => known.get(identify(rows, row))?.position.timeline ?? fallback
	const learn: Timelines['learn'] = async ({ rows, at }) => {
		const exact: bigint[] = []
		for (let i = 0; i < at.length; i++) {
			const position = rows.position[at[i] as number] as bigint
			if (position === newest || asked.has(position)) continue
			newest = position
			asked.add(position)
			exact.push(position)
		}
		if (exact.length === 0) return
		for await (const transaction of vault.transactions.read({ exact })) {
			const { position, xid, committedAt } = transaction
			known.set(`${position.lsn}/${xid}/${committedAt}`, transaction)
		}
	}
	return {
		...{ learn, of },
		async choose({ rows, at }, timeline) {
			await learn({ rows, at })
			const chosen = Uint32Array.from(at).filter((row) =>
				timeline === undefined ? !known.get(identify(rows, row))?.isUndone : of(rows, row) === timeline,
			)
			for (const row of chosen) meet(identify(rows, row))
			return chosen
		},
		rows: () => counts,
	}
}

/** What tells transactions apart; put into words once for rows of one that follow each other. */
function identifying(): (rows: ChangeRows, row: number) => string {
	let [position, xid, committedAt, identity] = [-1n, -1, -1n, '']
	return (rows, row) => {
		if (rows.position[row] !== position || rows.xid[row] !== xid || rows.committedAt[row] !== committedAt) {
			position = rows.position[row] as bigint
			xid = rows.xid[row] as number
			committedAt = rows.committedAt[row] as bigint
			identity = `${position}/${xid}/${committedAt}`
		}
		return identity
	}
}
