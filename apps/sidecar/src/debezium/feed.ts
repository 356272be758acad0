import { type DebeziumEnd, type DebeziumEvent, encode, type JsonObject, Loss, type RowTexts } from '@reprieve/cdc'
import type { Assembler } from '../capture/assemble.ts'
import type { Relations } from '../capture/relations.ts'
import { rowTexts, type Shape, type Shapes } from './shapes.ts'

export type FeedOptions = { assembler: Assembler; relations: Relations; shapes: Shapes }

/**
 * Turns events of a whole transaction into messages of the replication protocol for the {@link Assembler}: from here on
 * they are what own capture would have received.
 */
export class Feed {
	readonly #assembler: Assembler
	readonly #relations: Relations
	readonly #shapes: Shapes
	/** By OID: the shape that was announced. */
	readonly #announced = new Map<number, Shape>()
	/** End of the transaction under way. */
	#end = 0n
	/** The delete that came right before: an insert behind it may be a move, or the other half of a key's update. */
	#before: { shape: Shape; texts: RowTexts; isKeyChange: boolean } | undefined

	constructor({ assembler, relations, shapes }: FeedOptions) {
		this.#assembler = assembler
		this.#relations = relations
		this.#shapes = shapes
	}

	/**
	 * The commit record's own position is in no event, only its end: one byte before that lies inside of it, and orders
	 * as it does.
	 */
	async begin(end: DebeziumEnd, committedAt: bigint): Promise<void> {
		this.#before = undefined
		this.#end = end.end
		await this.#send(encode.begin({ position: positionOf(end), committedAt, xid: end.xid }))
	}

	async commit(end: DebeziumEnd, committedAt: bigint): Promise<void> {
		await this.#flushKeyChange()
		await this.#send(encode.commit({ position: positionOf(end), end: end.end, committedAt }))
	}

	async event(event: DebeziumEvent): Promise<void> {
		if (event.op === 'c') return await this.#insert(event)
		await this.#flushKeyChange()
		if (event.op === 'm') {
			this.#before = undefined
			if (event.message) await this.#send(encode.message(event.message))
		} else if (event.op === 'd') await this.#delete(event)
		else if (event.op === 'u') await this.#update(event)
		else await this.#truncate(event)
	}

	async #delete(event: DebeziumEvent): Promise<void> {
		this.#before = undefined
		const { shape, texts } = await this.#read(event, event.before)
		const { oid, identity } = shape.relation
		if (texts instanceof Loss) return this.#assembler.lose(oid, texts.reason)
		this.#before = { shape, texts, isKeyChange: event.isKeyChange }
		if (!event.isKeyChange) await this.#send(encode.delete(oid, identity === 'f' ? 'O' : 'K', texts))
	}

	async #insert(event: DebeziumEvent): Promise<void> {
		const before = this.#before
		if (!before) return
		const { shape, texts } = await this.#read(event, event.row)
		this.#before = undefined
		if (texts instanceof Loss) return
		const { oid } = shape.relation
		if (!before.isKeyChange) await this.#send(encode.insert(oid, texts))
		else await this.#send(encode.update(oid, before.texts, texts))
	}

	/** A key's update whose other half did not follow: then the row did go. */
	async #flushKeyChange(): Promise<void> {
		if (!this.#before?.isKeyChange) return
		const { shape, texts } = this.#before
		this.#before = undefined
		await this.#send(encode.delete(shape.relation.oid, shape.relation.identity === 'f' ? 'O' : 'K', texts))
	}

	async #update(event: DebeziumEvent): Promise<void> {
		this.#before = undefined
		const shape = await this.#shape(event)
		const mapping = this.#relations.get(shape.relation.oid)
		if (!mapping || mapping.relinks.length === 0 || !event.before || !event.row) return
		const { texts: before } = await this.#read(event, event.before)
		const { texts: row } = await this.#read(event, event.row)
		const lost = before instanceof Loss ? before : row instanceof Loss ? row : undefined
		if (lost) return this.#assembler.lose(shape.relation.oid, lost.reason)
		await this.#send(encode.update(shape.relation.oid, before as RowTexts, row as RowTexts))
	}

	async #truncate(event: DebeziumEvent): Promise<void> {
		this.#before = undefined
		const shape = await this.#shape(event)
		await this.#send(encode.truncate(shape.relation.oid))
	}

	/** Texts that do not fit the types that were known are tried once more with the catalog of now. */
	async #read(event: DebeziumEvent, image: DebeziumEvent['before']): Promise<Reading> {
		const shape = await this.#shape(event)
		if (!image) return { shape, texts: new Loss('the event has no image of the row') }
		const reading = readAs(shape, image)
		const isStale = reading.texts instanceof Loss && shape.loss === undefined
		const now = isStale ? readAs(await this.#shape(event, true), image) : reading
		const former = this.#shapes.former(event, this.#end)
		return former ? await this.#decide(now, readAs(former, image)) : now
	}

	/** A row of a transaction that came before or after a column was retyped. */
	async #decide(now: Reading, before: Reading): Promise<Reading> {
		if (before.shape.loss !== undefined)
			return { ...now, texts: new Loss(`before it was retyped ${before.shape.loss}`) }
		if (before.texts instanceof Loss) return now
		if (now.texts instanceof Loss) {
			await this.#announce(before.shape)
			return before
		}
		const textsBefore = new Map(
			before.shape.relation.columns.map(({ name }, at) => [name, (before.texts as RowTexts)[at]]),
		)
		const odd = now.shape.relation.columns.find(
			({ name }, at) => textsBefore.has(name) && textsBefore.get(name) !== (now.texts as RowTexts)[at],
		)
		if (!odd) return now
		return { ...now, texts: new Loss(`${odd.name}: it was retyped, and both types would read the value differently`) }
	}

	async #shape(event: DebeziumEvent, isFresh = false): Promise<Shape> {
		const shape = await this.#shapes.find(event, { isFresh })
		await this.#announce(shape)
		return shape
	}

	async #announce(shape: Shape): Promise<void> {
		if (this.#announced.get(shape.relation.oid) !== shape) {
			await this.#send(encode.relation(shape.relation))
			this.#announced.set(shape.relation.oid, shape)
		}
	}

	async #send(message: Uint8Array): Promise<void> {
		await this.#assembler.handle(message)
	}
}

function positionOf(end: DebeziumEnd): bigint {
	return end.end - 1n
}

/** A row, by the shape that it was read as. */
type Reading = { shape: Shape; texts: RowTexts | Loss }

function readAs(shape: Shape, image: JsonObject): Reading {
	return { shape, texts: shape.loss === undefined ? rowTexts(image, shape) : new Loss(shape.loss) }
}
