import {
	type Begin,
	type Commit,
	createDecoder,
	type LogicalMessage,
	type OldImage,
	type PgoutputHandler,
	type Relation,
	type Tuple,
} from '@reprieve/cdc'
import { type ChangeOp, ReprieveError } from '@reprieve/contracts'
import { type Branch, timelineAt } from '@reprieve/vault'
import type { RowPlace } from '../archive/buffer.ts'
import { changedTransaction } from '../incident.ts'
import type { Mapping } from './mapping.ts'
import { type MessageContext, takeMessage } from './messages.ts'
import type { Relations } from './relations.ts'
import { type Candidate, RelinkSpool } from './relinks.ts'
import {
	type CommittedTransaction,
	closeTransaction,
	count,
	type OpenTransaction,
	openTransaction,
} from './transaction.ts'
import { tripOnImage, tripOnLoss, tripOnTruncate, tripOnUpdate } from './tripwires.ts'
import { isSameAt, keyOf, textAt } from './tuple.ts'

export type AssemblerOptions = {
	relations: Pick<Relations, 'buffers' | 'get' | 'resolve'>
	messages: MessageContext
	/** Gives every commit the timeline that it belongs to. */
	branch: Branch
	/** Transactions before this have their receipts: `onCommit` checks them, their rows are not taken again. */
	archived: bigint
	/** Resolves when memory allows to go on. */
	relief: () => Promise<void> | undefined
	/** Where the archive takes over: called once per COMMIT. */
	onCommit: (transaction: CommittedTransaction) => void
}

/** The row deleted by the message before: an insert right behind it may make it a move. */
type Departed = { mapping: Mapping; old: Tuple; place: RowPlace | undefined }

/**
 * Makes transactions of the stream's messages: rows go to their table's buffer, the rest into the transaction's record.
 * {@link handle} answers a promise when the stream must wait.
 */
export class Assembler implements PgoutputHandler {
	readonly #options: AssemblerOptions
	readonly #decode: (message: Uint8Array) => void
	readonly #spool = new RelinkSpool()
	#transaction: OpenTransaction | undefined
	#departed: Departed | undefined
	#payload: Uint8Array = Buffer.alloc(0)
	#waiting: Promise<unknown> | undefined

	constructor(options: AssemblerOptions) {
		this.#options = options
		this.#decode = createDecoder(this)
	}

	/** Whether a transaction has begun and not committed yet. */
	get isOpen(): boolean {
		return this.#transaction !== undefined
	}

	handle(payload: Uint8Array): Promise<unknown> | undefined {
		this.#payload = payload
		this.#waiting = undefined
		this.#decode(payload)
		return this.#waiting
	}

	begin(begin: Begin): void {
		if (this.#transaction) throw new ReprieveError('INTERNAL', `BEGIN ${begin.xid} inside of ${this.#transaction.xid}`)
		this.#transaction = openTransaction(begin)
	}

	commit(commit: Commit): void {
		const transaction = this.#open()
		this.#departed = undefined
		if (commit.position !== transaction.position) {
			throw new ReprieveError('INTERNAL', `BEGIN announced ${transaction.position}, COMMIT came at ${commit.position}`)
		}
		const finish = () => {
			for (const buffer of this.#options.relations.buffers.values()) buffer.settle()
			this.#transaction = undefined
			const timeline = timelineAt(this.#options.branch, commit.position)
			this.#options.onCommit(closeTransaction(transaction, commit.end, timeline))
		}
		if (this.#spool.isEmpty) finish()
		else this.#waiting = this.#decideRelinks(transaction).then(finish)
	}

	/** A shape may come between a row that leaves its leaf and its arrival in another. */
	relation(relation: Relation): void {
		this.#waiting = this.#options.relations.resolve(relation, this.#open().xid)
	}

	delete(oid: number, image: OldImage, old: Tuple): void {
		const transaction = this.#open()
		const mapping = this.#mapping(oid)
		const ordinal = transaction.nextOrdinal++
		this.#departed = undefined
		tripOnImage(transaction, { mapping, image, old })
		if (image === 'K') return
		for (const { name, places } of mapping.parents) {
			const key = keyOf(old, places)
			if (key !== undefined) transaction.deletedParents.add(name + key)
		}
		count(transaction, mapping.label, 'deleted')
		const place = this.#append(mapping, old, { op: 'delete', ordinal, rewritten: null })
		if (mapping.staying) this.#departed = { mapping, old, place }
	}

	/** A deleted row whose values did not come whole: reported, with the gap that it leaves, and not archived. */
	lose(oid: number, reason: string): void {
		const transaction = this.#open()
		transaction.nextOrdinal++
		this.#departed = undefined
		tripOnLoss(transaction, this.#mapping(oid), reason)
	}

	insert(oid: number, row: Tuple): void {
		const departed = this.#departed
		this.#departed = undefined
		if (!departed) return
		const target = this.#mapping(oid)
		if (!isMove(departed, target, row)) return
		count(this.#open(), target.label, 'deleted', -1)
		if (departed.place) departed.mapping.buffer.setOp(departed.place, 'move')
	}

	update(oid: number, image: OldImage | undefined, old: Tuple, row: Tuple): void {
		const transaction = this.#open()
		const ordinal = transaction.nextOrdinal++
		this.#departed = undefined
		const mapping = this.#mapping(oid)
		if (image !== 'O' && mapping.relinks.length > 0) tripOnUpdate(transaction, mapping)
		const candidate = candidateOf({ mapping, ordinal, image, old, row })
		if (!candidate) return
		// Also when a parent of it is gone already: relinks come behind all other rows, however often those were spilled.
		this.#waiting = this.#spool.add(this.#payload, ordinal, mapping)
	}

	truncate(oids: number[]): void {
		const transaction = this.#open()
		this.#departed = undefined
		for (const oid of oids) tripOnTruncate(transaction, this.#mapping(oid))
	}

	message(message: LogicalMessage): void {
		if (!message.transactional || !message.prefix.startsWith('reprieve.')) return
		this.#departed = undefined
		this.#waiting = takeMessage(this.#open(), message, this.#options.messages)
	}

	/** Rows of a signed overwrite message; their table is looked up like a relation of the stream. */
	appendOverwritten(mapping: Mapping, tuple: Tuple): void {
		const ordinal = this.#open().nextOrdinal++
		this.#append(mapping, tuple, { op: 'overwrite', ordinal, rewritten: null })
	}

	#append(
		mapping: Mapping,
		tuple: Tuple,
		row: { op: ChangeOp; ordinal: number; rewritten: Record<string, string | null> | null },
	): RowPlace | undefined {
		const transaction = this.#open()
		transaction.archivedRows++
		if (transaction.position < this.#options.archived) return undefined
		if (transaction.position <= mapping.buffer.archived) return this.#skip(mapping, transaction)
		const { origin } = transaction
		origin.op = row.op
		origin.ordinal = row.ordinal
		origin.rewritten = row.rewritten
		origin.leaf = mapping.leaf
		return mapping.buffer.append(mapping.table, { tuple, places: mapping.places, origin })
	}

	/** The table's log has the position: skipped only if it is the same transaction that it has there. */
	#skip({ buffer }: Mapping, transaction: OpenTransaction): undefined {
		const known = buffer.known.get(transaction.position)
		if (known?.xid === transaction.xid && known.committedAt === transaction.committedAt) return
		throw changedTransaction(transaction, buffer.label)
	}

	#relink(candidate: Candidate, old: Tuple, row: Tuple): void {
		const { mapping, ordinal } = candidate
		const places = mapping.relation.columns.map((column) => column.name)
		const rewritten = Object.fromEntries(candidate.columns.map((name) => [name, textAt(row, places.indexOf(name))]))
		count(this.#open(), mapping.label, 'relinked')
		this.#append(mapping, old, { op: 'relink', ordinal, rewritten })
	}

	/** At COMMIT every parent that the transaction deleted is known. */
	async #decideRelinks(transaction: OpenTransaction): Promise<void> {
		for await (const { bytes, ordinal, mapping } of this.#spool.replay()) {
			const update: PgoutputHandler['update'] = (_oid, image, old, row) => {
				const candidate = candidateOf({ mapping, ordinal, image, old, row })
				if (candidate?.parents.some((parent) => transaction.deletedParents.has(parent))) {
					this.#relink(candidate, old, row)
				}
			}
			createDecoder({ ...silent, update })(bytes)
			await this.#options.relief()
		}
	}

	#open(): OpenTransaction {
		if (!this.#transaction) throw new ReprieveError('INTERNAL', 'the stream sent a change outside of a transaction')
		return this.#transaction
	}

	#mapping(oid: number): Mapping {
		const mapping = this.#options.relations.get(oid)
		if (!mapping) throw new ReprieveError('INTERNAL', `the stream sent a row of relation ${oid} without its shape`)
		return mapping
	}
}

const ignore = () => {}

/** Does nothing with any message. */
export const silent: PgoutputHandler = {
	begin: ignore,
	commit: ignore,
	relation: ignore,
	insert: ignore,
	update: ignore,
	delete: ignore,
	truncate: ignore,
	message: ignore,
}

function isMove({ mapping, old }: Departed, target: Mapping, row: Tuple): boolean {
	if (target.rootOid !== mapping.rootOid || target.relation.oid === mapping.relation.oid) return false
	return (mapping.staying ?? []).every((place) => {
		const name = mapping.relation.columns[place]?.name
		const there = target.relation.columns.findIndex((column) => column.name === name)
		return there >= 0 && isSameAt(old, place, row, there)
	})
}

/**
 * An update that changed a foreign key which SET NULL or SET DEFAULT rewrites, with the parents that it named before, and
 * every column that changed: a trigger may have rewritten others along with the key.
 */
function candidateOf(update: {
	mapping: Mapping
	ordinal: number
	image: OldImage | undefined
	old: Tuple
	row: Tuple
}): Candidate | undefined {
	const { mapping, ordinal, image, old, row } = update
	if (image !== 'O') return undefined
	const isChanged = (place: number) => !isSameAt(old, place, row, place)
	const parents = mapping.relinks.flatMap(({ parent, places }) => {
		const named = places.some(isChanged) ? keyOf(old, places) : undefined
		return named === undefined ? [] : [parent + named]
	})
	if (parents.length === 0) return undefined
	const columns = mapping.relation.columns.flatMap(({ name }, place) => (isChanged(place) ? [name] : []))
	return { mapping, ordinal, parents, columns }
}
