import { createSigner, signMessage } from '@reprieve/cdc'
import { cstring, int32, int64, message, row } from '@reprieve/cdc/fixture'
import {
	type ArchivedTransaction,
	type ChangeOp,
	formatTableName,
	messagePrefix,
	type RowCounts,
	type Seal,
	type Tag,
} from '@reprieve/contracts'
import { relations, type SimulatedRelation } from './catalog.ts'
import type { Random } from './random.ts'

export const lineageId = 'lineage'

/** Key of the tags and seals; any, and the same for every seed. */
const privateKey = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
`
export const signer = createSigner(privateKey)

type Cells = (string | null)[]

/** A row that the archive must have. */
export type ExpectedRow = {
	/** formatTableName of the root. */
	table: string
	position: bigint
	ordinal: number
	op: ChangeOp
	cells: Cells
	leaf: string | null
	rewritten: Record<string, string | null> | null
	xid: number
	committedAt: bigint
}

/** A committed transaction: what the stream says of it, and what the archive must have of it. */
export type SimulatedTransaction = {
	position: bigint
	end: bigint
	messages: { relation?: SimulatedRelation; bytes: Buffer }[]
	rows: ExpectedRow[]
	/** Absent: there is nothing to keep. */
	receipt?: ArchivedTransaction
}

const texts = ['', 'x', 'ünï', 'a longer note that says a little more than the others', '\\N', '0']

/** Between PostgreSQL's epoch and 1970, microseconds. */
const epochMicros = 946_684_800_000_000n

/** Gathers what one transaction does, as the stream would say it and as the model has it. */
class Script {
	readonly messages: SimulatedTransaction['messages'] = []
	readonly rows: ExpectedRow[] = []
	readonly counts: RowCounts = {}
	readonly at: { position: bigint; xid: number; committedAt: bigint }
	readonly #random: Random
	readonly #nextKey: () => number
	#ordinal = 0

	constructor(random: Random, nextKey: () => number, at: Script['at']) {
		this.#random = random
		this.#nextKey = nextKey
		this.at = at
	}

	say(bytes: Buffer, relation?: SimulatedRelation): void {
		this.messages.push({ bytes, relation })
	}

	tell(prefix: string, content: string): void {
		const bytes = Buffer.from(content)
		this.say(message('M', Buffer.from([1]), int64(this.at.position), cstring(prefix), int32(bytes.length), bytes))
	}

	delete(relation: SimulatedRelation, cells: Cells): void {
		this.say(message('D', int32(relation.oid), 'O', row(...cells)), relation)
		this.#keep(relation, 'delete', cells)
		this.#count(relation, 'deleted')
	}

	deleteOne(): void {
		const name = this.#random.pick(['orders', 'orders', 'lines', 'north', 'south'] as const)
		if (name === 'orders') this.delete(relations.orders, [this.key(), this.note()])
		else if (name === 'lines') this.delete(relations.lines, [this.key(), this.#random.pick([null, '7']), this.note()])
		else this.delete(relations[name], [this.key(), name, this.note()])
	}

	/** A child's foreign key is rewritten before its parent's deletion is seen, or after. */
	relink(): void {
		const [parent, child, note] = [this.key(), this.key(), this.note()]
		const isEarly = this.#random.perMille(500)
		if (!isEarly) this.delete(relations.orders, [parent, this.note()])
		this.update(relations.lines, [child, parent, note], [child, null, note], { order_id: null })
		if (isEarly) this.delete(relations.orders, [parent, this.note()])
	}

	/** An update that rewrites nothing which the archive keeps. */
	touch(): void {
		const [child, note] = [this.key(), this.note()]
		this.update(relations.lines, [child, '-3', note], [child, '-4', note], undefined)
	}

	move(): void {
		const [from, to] = this.#random.pick([
			['north', 'south'],
			['south', 'north'],
		] as const)
		const [key, note] = [this.key(), this.note()]
		this.delete(relations[from], [key, from, note])
		this.insert(relations[to], [key, to, note])
		this.#count(relations[to], 'deleted', -1)
		Object.assign(this.rows.at(-1) as ExpectedRow, { op: 'move' })
	}

	insert(relation: SimulatedRelation, cells: Cells): void {
		this.say(message('I', int32(relation.oid), 'N', row(...cells)), relation)
	}

	update(relation: SimulatedRelation, old: Cells, fresh: Cells, rewritten: ExpectedRow['rewritten'] | undefined): void {
		this.say(message('U', int32(relation.oid), 'O', row(...old), 'N', row(...fresh)), relation)
		if (rewritten === undefined) this.#ordinal++
		else {
			this.#keep(relation, 'relink', old, rewritten)
			this.#count(relation, 'relinked')
		}
	}

	key(): string {
		return String(this.#nextKey())
	}

	note(): string | null {
		return this.#random.perMille(150) ? null : this.#random.pick(texts)
	}

	#keep(relation: SimulatedRelation, op: ChangeOp, cells: Cells, rewritten: ExpectedRow['rewritten'] = null): void {
		const leaf = relation.facts.isPartition ? formatTableName(relation.table) : null
		const table = formatTableName(relation.root)
		this.rows.push({ table, ordinal: this.#ordinal++, op, cells, leaf, rewritten, ...this.at })
	}

	#count({ root }: SimulatedRelation, kind: 'deleted' | 'relinked', by = 1): void {
		const label = formatTableName(root)
		this.counts[label] ??= { deleted: 0, relinked: 0 }
		this.counts[label][kind] += by
	}
}

/** Where a transaction lies, and what it has besides. */
export type Begun = { random: Random; nextKey: () => number; position: bigint; xid: number; committedAt: bigint }

/** A transaction of the seed's choice, at a position. */
export function makeTransaction({ random, nextKey, position, xid, committedAt }: Begun): SimulatedTransaction {
	const script = new Script(random, nextKey, { position, xid, committedAt })
	const isRun = random.perMille(200)
	const job = { lineage: lineageId, xid: String(2n ** 32n + BigInt(xid)), id: `run-${xid}`, batch: 1 }
	const tag: Tag | undefined = isRun ? { kind: 'run', ...job, actor: 'ann', reason: 'stale' } : undefined
	if (tag) script.tell(messagePrefix.tag, signMessage(signer, messagePrefix.tag, tag))
	const size = random.weighted({ none: 10, few: 70, many: 8 })
	const steps = size === 'none' ? 0 : size === 'few' ? 1 + random.below(3) : 8 + random.below(8)
	for (let step = 0; step < steps; step++) {
		const kind = random.weighted({ deleteOne: 70, relink: 10, touch: 6, move: 10, insert: 4 })
		if (kind === 'insert') script.insert(relations.north, ['-1', 'north', script.note()])
		else script[kind]()
	}
	const rows = Object.fromEntries(Object.entries(script.counts).filter(([, own]) => own.deleted + own.relinked > 0))
	const seal: Seal | undefined = isRun ? { ...job, rows, collateral: {} } : undefined
	if (seal) script.tell(messagePrefix.seal, signMessage(signer, messagePrefix.seal, seal))
	const barriers = random.perMille(50) ? [`barrier-${xid}`] : []
	for (const nonce of barriers) script.tell(messagePrefix.barrier, nonce)
	const end = position + 8n + BigInt(random.below(40))
	const receipt = { position: { timeline: 1, lsn: position }, end, xid, committedAt, rows, barriers }
	const isKept = script.rows.length > 0 || isRun || barriers.length > 0
	return {
		...{ position, end, rows: script.rows },
		messages: framed(script, { position, end, xid, committedAt }),
		...(isKept && { receipt: { ...receipt, ...(tag && { tag }), ...(seal && { seal }) } }),
	}
}

function framed(
	{ messages }: Script,
	{ position, end, xid, committedAt }: { position: bigint; end: bigint; xid: number; committedAt: bigint },
): SimulatedTransaction['messages'] {
	const time = int64(committedAt - epochMicros)
	return [
		{ bytes: message('B', int64(position), time, int32(xid | 0)) },
		...messages,
		{ bytes: message('C', '\0', int64(position), int64(end), time) },
	]
}
