import type { FrameHeader, Place, RowsFrame, SentTransaction, TransactionsFrame } from '@reprieve/cdc'
import type { ChangeRows, SourceTable } from '@reprieve/contracts'

const header: FrameHeader = {
	...{ database: 'shop', lineage: 'l', epoch: 1, session: 'a', topic: 'p.public.t', partition: 0, isUrgent: false },
	predecessor: place(0n, 0xffffffff),
}

export function place(position: bigint, ordinal: number): Place {
	return { position, ordinal }
}

/** Rows at places, one column with the ordinal as text. */
export function rowsAt(...places: [position: number, ordinal: number][]): ChangeRows {
	const texts = places.map(([, ordinal]) => Buffer.from(String(ordinal)))
	const offsets = new Uint32Array(places.length + 1)
	for (const [at, text] of texts.entries()) offsets[at + 1] = (offsets[at] as number) + text.length
	return {
		table: { schema: 'public', name: 't', columns: [{ name: 'n' }] } as unknown as SourceTable,
		count: places.length,
		columns: [{ bytes: Buffer.concat(texts), offsets, present: new Uint8Array(places.length).fill(1) }],
		op: new Uint8Array(places.length),
		position: BigUint64Array.from(places, ([position]) => BigInt(position)),
		ordinal: Uint32Array.from(places, ([, ordinal]) => ordinal),
		xid: Uint32Array.from(places, ([position]) => position),
		committedAt: BigInt64Array.from(places, ([position]) => BigInt(position)),
		leaf: places.map(() => null),
		rewritten: places.map(() => null),
	}
}

export function rowsFrame(
	rows: ChangeRows,
	{ isComplete = true, ...changes }: Partial<FrameHeader> & { isComplete?: boolean } = {},
): RowsFrame {
	return { kind: 'rows', header: { ...header, ...changes }, rows, isComplete }
}

export function transactionsFrame(
	transactions: SentTransaction[],
	{ received, isFinal = false, ...changes }: Partial<FrameHeader> & { received: bigint; isFinal?: boolean },
): TransactionsFrame {
	const own = { ...header, topic: 'p.transactions', ...changes }
	return { kind: 'transactions', header: own, transactions, received, isFinal }
}

/** A transaction with one row in each of the partitions of t. */
export function sentAt(position: bigint, ...partitions: number[]): SentTransaction {
	const [xid, committedAt, end] = [Number(position), position, position + 5n]
	return {
		...{ position, end, xid, committedAt, isUrgent: false, incidents: [], gaps: [] },
		archived: {
			...{ position: { timeline: 1, lsn: position }, end, xid, committedAt, barriers: [] },
			rows: { t: { deleted: partitions.length, relinked: 0 } },
		},
		shares: partitions.map((partition) => ({
			...{ table: 't', topic: 'p.public.t', partition, rows: 1, final: place(position, 0) },
		})),
	}
}
