import { type Place, placeOf, type RowsFrame } from '@reprieve/cdc'
import { formatTableName } from '@reprieve/contracts'
import type { PendingSegment, VaultTable } from '@reprieve/vault'
import { gapMark, offsetMark } from '../kafka/sources.ts'
import { type ChainState, comparePlaces, endOf, judgeLink, type Link, laterPlace } from './chain.ts'
import type { RowSpan } from './rows.ts'

/** A frame, and the records that carried it. */
export type Arrival = {
	frame: RowsFrame
	/** Offset of its first part. */
	offset: bigint
	/** Offset behind its last part. */
	next: bigint
	/** Bytes of its records. */
	bytes: number
}

/** What makes a transaction this one and no other. */
export type Identity = { position: bigint; xid: number; committedAt: bigint }

/** Places of a partition behind `from` and up to `to` of which no frame came, nor will. */
export type MissingRange = {
	from: Place
	to: Place
	/** Records were left out; else there is no sign that any row had been there. */
	isLost: boolean
}

/** What one partition gives to a flush: one entry of its table's log. */
export type PartitionShare = {
	partition: TablePartition
	spans: RowSpan[]
	segments: PendingSegment[]
	position: bigint
	after: bigint | null
	marks: { source: string; position: bigint }[]
	gaps: MissingRange[]
}

type OpenRows = { position: bigint; offset: bigint; spans: RowSpan[]; segments: PendingSegment[] }

export type PartitionStart = {
	table: VaultTable
	/** `txn` source of the partition. */
	source: string
	/** Its position in the table's log. */
	archived: bigint | null
	/** Everything up to here is in the vault. */
	floor: Place
	/** Reading begins where everything before was read, or at a partition's beginning. */
	isContiguous: boolean
}

/** Rows of one partition of a table's topic on their way to the table's log: whole shares of transactions only. */
export class TablePartition {
	readonly label: string
	readonly table: VaultTable
	readonly source: string
	#archived: bigint | null
	#chain: ChainState
	#ready: { spans: RowSpan[]; segments: PendingSegment[]; position: bigint } | undefined
	#open: OpenRows | undefined
	#gaps: MissingRange[] = []
	#durable: bigint
	#bytes = 0

	constructor({ table, source, archived, floor, isContiguous }: PartitionStart) {
		this.table = table
		this.label = formatTableName(table.name)
		this.source = source
		this.#archived = archived
		this.#durable = floor.position
		this.#chain = { covered: floor, session: undefined, isContiguous }
	}

	get covered(): Place {
		return this.#chain.covered
	}

	/** Everything up to this position is in the vault. */
	get durable(): bigint {
		return this.#durable
	}

	/** Bytes of rows in memory. */
	get bytes(): number {
		return this.#bytes
	}

	/** Something could be committed. */
	get hasWhole(): boolean {
		return this.#ready !== undefined || this.#gaps.length > 0
	}

	/** More is in the vault than was known when reading began. */
	raise(floor: Place): void {
		this.#durable = later(this.#durable, floor.position)
		if (!this.#open) this.#chain = { ...this.#chain, covered: laterPlace(this.#chain.covered, floor) }
	}

	/** Records were skipped. */
	skip(): void {
		this.#chain = { ...this.#chain, isContiguous: false }
	}

	/** Transactions of which a frame has rows: those that are here already, and the new ones. */
	identify(frame: RowsFrame): { repeated: Identity[]; fresh: Identity[] } {
		const first = firstBehind(frame, this.#chain.covered)
		return { repeated: identitiesIn(frame, 0, first), fresh: identitiesIn(frame, first, frame.rows.count) }
	}

	/** Takes what is new of a frame; nothing of it after a hole. */
	arrive(arrival: Arrival): Link['kind'] {
		const { frame } = arrival
		const { session, predecessor } = frame.header
		const link = judgeLink(this.#chain, { kind: 'rows', session, predecessor, final: finalOf(frame) })
		if (link.kind === 'hole') {
			this.#chain = { ...this.#chain, session, isContiguous: false }
			return 'hole'
		}
		if (link.kind === 'gap' || link.kind === 'starts') this.#leave(predecessor, link.kind === 'gap')
		this.#take(arrival, firstBehind(frame, this.#chain.covered))
		const isNew = link.kind !== 'repeated'
		this.#chain = {
			covered: laterPlace(this.#chain.covered, finalOf(frame)),
			session,
			isContiguous: isNew || this.#chain.isContiguous,
		}
		return link.kind
	}

	/** Hands over every whole share, as an entry that lets reading go on at `resume` unless rows stay. */
	take(resume: bigint): PartitionShare | undefined {
		if (!this.hasWhole) return undefined
		const gaps = this.#gaps
		const position = [this.#ready?.position ?? 0n, ...gaps.map(({ to }) => to.position)].reduce(later)
		const share = {
			...{ partition: this, position, after: this.#archived, gaps },
			spans: this.#ready?.spans ?? [],
			segments: this.#ready?.segments ?? [],
			marks: [
				{ source: offsetMark(this.source), position: this.resumeAt(resume) },
				...gaps.map(({ from, to }) => ({ source: gapMark(this.source, from.position), position: to.position })),
			],
		}
		this.#ready = undefined
		this.#gaps = []
		this.#bytes -= bytesOf(share.spans)
		return share
	}

	/** Where reading begins anew without losing what is only in memory. */
	resumeAt(next: bigint): bigint {
		return this.#open?.offset ?? next
	}

	/** A share's entry is in the log. */
	committed(position: bigint): void {
		this.#archived = position
		this.#durable = later(this.#durable, position)
	}

	/** Hands over rows of the share that is not whole yet, to be written ahead. */
	takeOpen(): RowSpan[] {
		const spans = this.#open?.spans ?? []
		if (this.#open) this.#open.spans = []
		this.#bytes -= bytesOf(spans)
		return spans
	}

	/** What became of them. */
	putSegments(segments: PendingSegment[]): void {
		this.#open?.segments.push(...segments)
	}

	#leave(to: Place, isLost: boolean): void {
		// A share that was begun is not whole: it lies in the gap from its first row on.
		const from = this.#open ? endOf(this.#open.position - 1n) : this.#chain.covered
		this.#gaps.push({ from, to, isLost })
		this.#bytes -= bytesOf(this.#open?.spans)
		this.#open = undefined
		this.#chain = { ...this.#chain, covered: to }
	}

	#take(arrival: Arrival, first: number): void {
		const { rows, isComplete } = arrival.frame
		const { position } = finalOf(arrival.frame)
		if (first < rows.count) {
			if (this.#open && this.#open.position < (rows.position[first] as bigint)) this.#settle()
			const cut = Math.max(first, rows.position.indexOf(position))
			if (cut > first) {
				this.#add(arrival, first, cut)
				this.#settle()
			}
			this.#add(arrival, cut, rows.count)
		}
		if (isComplete && this.#open?.position === position) this.#settle()
	}

	#add(arrival: Arrival, from: number, to: number): void {
		const span = spanOf(arrival, from, to)
		const position = span.rows.position[to - 1] as bigint
		this.#open ??= { position, offset: arrival.offset, spans: [], segments: [] }
		this.#open.position = position
		this.#open.spans.push(span)
		this.#bytes += span.bytes
	}

	#settle(): void {
		if (!this.#open) return
		const { position, spans, segments } = this.#open
		this.#ready ??= { spans: [], segments: [], position }
		this.#ready.spans.push(...spans)
		this.#ready.segments.push(...segments)
		this.#ready.position = position
		this.#open = undefined
	}
}

function finalOf({ rows, header }: RowsFrame): Place {
	if (rows.count === 0) return header.predecessor
	return placeOf(rows, rows.count - 1)
}

function firstBehind({ rows }: RowsFrame, covered: Place): number {
	let row = 0
	while (row < rows.count && comparePlaces(placeOf(rows, row), covered) <= 0) row++
	return row
}

function spanOf({ frame, bytes }: Arrival, from: number, to: number): RowSpan {
	const { rows } = frame
	return { rows, from, to, schema: JSON.stringify(rows.table), bytes: (bytes * (to - from)) / rows.count }
}

function identitiesIn({ rows }: RowsFrame, from: number, to: number): Identity[] {
	const identities: Identity[] = []
	for (let row = from; row < to; row++) {
		const position = rows.position[row] as bigint
		if (identities.at(-1)?.position === position) continue
		identities.push({ position, xid: rows.xid[row] as number, committedAt: rows.committedAt[row] as bigint })
	}
	return identities
}

function later(a: bigint, b: bigint): bigint {
	return a > b ? a : b
}

function bytesOf(spans: readonly RowSpan[] = []): number {
	return spans.reduce((sum, span) => sum + span.bytes, 0)
}
