import type { FrameShare, Place, SentTransaction, TransactionsFrame } from '@reprieve/cdc'
import type { CommittedTransaction } from '../capture/transaction.ts'
import { makeIncident } from '../incident.ts'
import { type ChainState, endOf, judgeLink, type Link, laterPlace } from './chain.ts'
import type { Identity, MissingRange } from './partition.ts'

/** A transactions frame, and where it lies. */
export type TransactionsArrival = { frame: TransactionsFrame; offset: bigint; next: bigint }

/** What a table's log says of a share: not there yet, there, or lost in a recorded gap. */
export type ShareState = 'awaited' | 'covered' | 'missing'

/** What may be appended to the record of transactions now. */
export type Receipts = {
	/** Everything before it has its receipt then. */
	position: bigint
	after: bigint
	transactions: CommittedTransaction[]
	/** Where reading begins anew. */
	resume: bigint
	gaps: MissingRange[]
	/** The epoch ends with it. */
	isFinal: boolean
}

/** One transaction, or (without one) what a frame says was received. */
type Entry = { end: bigint; offset: bigint; transaction?: SentTransaction; isFinal?: boolean; gap?: MissingRange }

/** Transactions in commit order that wait until every table's log has their rows. */
export class ReceiptQueue {
	#archived: bigint
	#chain: ChainState
	#next: bigint
	#waiting: Entry[] = []

	constructor({ archived, isContiguous, next }: { archived: bigint; isContiguous: boolean; next: bigint }) {
		this.#archived = archived
		this.#chain = { covered: endOf(archived - 1n), session: undefined, isContiguous }
		this.#next = next
	}

	get size(): number {
		return this.#waiting.length
	}

	get covered(): Place {
		return this.#chain.covered
	}

	/** The transaction at the head; undefined when nothing waits for rows. */
	get head(): SentTransaction | undefined {
		return this.#waiting.find((entry) => entry.transaction)?.transaction
	}

	/** Everything up to this position is in the vault. */
	get durable(): bigint {
		return this.#archived - 1n
	}

	/** Transactions of a frame: those that are here already, and the new ones. */
	identify(frame: TransactionsFrame): { repeated: Identity[]; fresh: Identity[] } {
		const kept = frame.transactions.filter((transaction) => transaction.archived)
		const { position: covered } = this.#chain.covered
		return {
			repeated: kept.filter(({ position }) => position <= covered),
			fresh: kept.filter(({ position }) => position > covered),
		}
	}

	/** Records were skipped. */
	skip(): void {
		this.#chain = { ...this.#chain, isContiguous: false }
	}

	/** Takes what is new of a frame; nothing of it after a hole. */
	arrive({ frame, offset, next }: TransactionsArrival): Link['kind'] {
		const { session, predecessor } = frame.header
		const final = endOf(frame.received - 1n)
		const { kind } = judgeLink(this.#chain, { kind: 'transactions', session, predecessor, final })
		if (kind === 'hole') {
			this.#chain = { ...this.#chain, session, isContiguous: false }
			return kind
		}
		this.#next = next
		if (kind === 'gap') {
			this.#waiting.push({
				end: predecessor.position + 1n,
				offset,
				gap: { from: this.#chain.covered, to: predecessor, isLost: true },
			})
		}
		const { position: covered } = kind === 'gap' ? predecessor : this.#chain.covered
		const fresh = frame.transactions.filter((transaction) => transaction.position > covered)
		for (const transaction of fresh) this.#waiting.push({ end: transaction.end, offset, transaction })
		if (kind !== 'repeated' || frame.isFinal)
			this.#waiting.push({ end: frame.received, offset, isFinal: frame.isFinal })
		const isContiguous = kind !== 'repeated' || this.#chain.isContiguous
		this.#chain = { covered: laterPlace(this.#chain.covered, final), session, isContiguous }
		return kind
	}

	/** Hands over everything up to the first transaction of which a share is awaited; undefined for nothing. */
	take(stateOf: (share: FrameShare) => ShareState): Receipts | undefined {
		const blocked = this.#waiting.findIndex(({ transaction }) => {
			return transaction?.shares.some((share) => stateOf(share) === 'awaited')
		})
		const taken = this.#waiting.splice(0, blocked < 0 ? this.#waiting.length : blocked)
		if (taken.length === 0) return undefined
		const after = this.#archived
		for (const { end } of taken) if (end > this.#archived) this.#archived = end
		return {
			position: this.#archived,
			after,
			transactions: taken.flatMap(({ transaction }) => (transaction ? [receiptOf(transaction, stateOf)] : [])),
			resume: this.#waiting[0]?.offset ?? this.#next,
			gaps: taken.flatMap(({ gap }) => gap ?? []),
			isFinal: taken.some((entry) => entry.isFinal),
		}
	}
}

/** A receipt never counts rows that are in no log. */
function receiptOf(sent: SentTransaction, stateOf: (share: FrameShare) => ShareState): CommittedTransaction {
	const { shares, ...transaction } = sent
	const lost = new Set(shares.filter((share) => stateOf(share) === 'missing').map((share) => share.table))
	if (lost.size === 0 || !transaction.archived) return transaction
	const kept = Object.entries(transaction.archived.rows).filter(([table]) => !lost.has(table))
	return {
		...transaction,
		archived: { ...transaction.archived, rows: Object.fromEntries(kept) },
		incidents: [...transaction.incidents, ...[...lost].map((table) => lostRows(transaction, table))],
		gaps: [...transaction.gaps, ...[...lost].map((table) => ({ table, position: sent.position, reason: lostReason }))],
	}
}

const lostReason = 'its frames are in no topic any more'

function lostRows({ position, xid }: { position: bigint; xid: number }, table: string) {
	return makeIncident({
		code: 'ROWS_MISSING',
		message: `transaction ${xid} deleted rows of ${table}, but ${lostReason}`,
		remedy:
			'Find out who deleted topics or records, or parked one; then resolve the incident: the gap stays on record.',
		...{ table, position, stopsCapture: false },
	})
}
