import { setTimeout } from 'node:timers/promises'
import { type BinaryRows, createDecoder, findBinary, type Relation, replaceBinary, type ValueText } from '@reprieve/cdc'
import type { Sql } from '@reprieve/postgres'
import { type Assembler, silent } from './assemble.ts'
import { type BinaryRow, readTextForms, readTexts, type TextForm } from './texts.ts'
import { isLasting, undecodableAt } from './undecodable.ts'

export type TranscriberOptions = {
	sql: Sql
	assembler: Pick<Assembler, 'isOpen' | 'handle'>
	/** Resolves when memory allows to go on. */
	relief: () => Promise<void> | undefined
	/** The change that the server could not write as text. */
	unreadable: bigint
}

/** A message whose rows are not text yet. */
type Waiting = BinaryRows & { message: Uint8Array }

const relationKind = 'R'.charCodeAt(0)
const insertKind = 'I'.charCodeAt(0)
/** A message that takes a second: others then have their turn, such as who renews the lease by some reads and writes. */
const longBytes = 64 * 1024 * 1024
const turnMs = 30
/** What is brought to the server at once, at most, and the rows of it. */
const chunkBytes = 4 * 1024 * 1024
const chunkRows = 2_000

/** Stands before an assembler whose stream is in binary: what it hands on is what a stream of text would have been. */
export class Transcriber {
	readonly #options: TranscriberOptions
	readonly #forms = new Map<number, (TextForm | undefined)[]>()
	#waiting: Waiting[] = []
	#bytes = 0

	constructor(options: TranscriberOptions) {
		this.#options = options
	}

	get isOpen(): boolean {
		return this.#options.assembler.isOpen
	}

	/** Answers a promise when the stream must wait. */
	handle(message: Uint8Array): Promise<unknown> | undefined {
		const found = findBinary(message)
		if (!found) return this.#pass(message)
		const isFull = this.#bytes > chunkBytes || this.#waiting.length >= chunkRows
		// An insert stays with the delete before it: together they may be a move.
		if (!isFull || message[0] === insertKind) return void this.#add({ ...found, message })
		return this.#flush().then(() => this.#add({ ...found, message }))
	}

	#add(waiting: Waiting): void {
		this.#waiting.push(waiting)
		this.#bytes += waiting.message.length
	}

	async #pass(message: Uint8Array): Promise<void> {
		await this.#flush()
		if (message[0] === relationKind) await this.#learn(message)
		await this.#options.assembler.handle(message)
	}

	async #learn(message: Uint8Array): Promise<void> {
		let relation: Relation | undefined
		createDecoder({
			...silent,
			relation: (told) => {
				relation = told
			},
		})(message)
		if (relation) this.#forms.set(relation.oid, await readTextForms(this.#options.sql, relation))
	}

	async #flush(): Promise<void> {
		const waiting = this.#waiting
		this.#waiting = []
		this.#bytes = 0
		if (waiting.length === 0) return
		const texts = await this.#read(waiting)
		while (waiting.length > 0) {
			if (waiting[0]?.message[0] !== insertKind) await this.#options.relief()
			const message = this.#transcribe(waiting, texts)
			if (message.length > longBytes) await setTimeout(turnMs)
			await this.#options.assembler.handle(message)
		}
	}

	/** The first of the messages, taken from them with its texts: nothing holds its bytes any longer. */
	#transcribe(waiting: Waiting[], texts: ValueText[][]): Uint8Array {
		const { message, rows } = waiting.shift() as Waiting
		try {
			return replaceBinary(message, rows.flat(), texts.splice(0, rows.length).flat())
		} catch (error) {
			throw undecodableAt(this.#options.unreadable, error)
		}
	}

	/** Texts by row, in the order of the messages. */
	async #read(waiting: readonly Waiting[]): Promise<ValueText[][]> {
		const rows = waiting.flatMap(({ relation, message, rows }) => rows.map((values) => ({ relation, message, values })))
		const texts = new Map<BinaryRow, ValueText[]>()
		for (const [relation, own] of Map.groupBy(rows, (row) => row.relation)) {
			for (const [at, read] of (await this.#readOf(relation, own)).entries()) texts.set(own[at] as BinaryRow, read)
		}
		return rows.map((row) => texts.get(row) as ValueText[])
	}

	async #readOf(relation: number, rows: BinaryRow[]): Promise<ValueText[][]> {
		try {
			return await readTexts(this.#options.sql, this.#forms.get(relation) ?? [], rows)
		} catch (error) {
			if (!isLasting(error)) throw error
			throw undecodableAt(this.#options.unreadable, error)
		}
	}
}
