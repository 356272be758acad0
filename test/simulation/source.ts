import { formatLsn, ReprieveError } from '@reprieve/contracts'
import { relationMessage } from './catalog.ts'
import { makeTransaction, type SimulatedTransaction } from './transaction.ts'
import type { Process, World } from './world.ts'

/** A frame of the replication protocol, as the stream's handler takes it. */
type Frame =
	| { kind: 'data'; position: bigint; payload: Uint8Array }
	| { kind: 'keepalive'; walEnd: bigint; replyRequested: boolean }

export type SourceStream = {
	acknowledge(position: bigint): void
	ended: Promise<void>
	close(): void
}

type Opened = { process: Process; wake: () => void; end: (error: Error) => void; isOpen: boolean }

/** The database's log, and the slot that keeps it. */
export class Source {
	readonly transactions: SimulatedTransaction[] = []
	/** Everything before it may be forgotten. */
	confirmed: bigint
	/** Where the log ends. */
	end = 5_000n
	/** Called with what is acknowledged. */
	onAcknowledged: (position: bigint) => void = () => {}
	readonly #world: World
	readonly #saved: bigint[]
	#stream: Opened | undefined
	#keys = 1
	#time = 1_700_000_000_000_000n
	#xid = 4_294_967_000

	constructor(world: World) {
		this.#world = world
		this.confirmed = this.end
		this.#saved = [this.end]
	}

	/** Another transaction commits. */
	commit(): void {
		const { random } = this.#world
		// The clock of a server may be set back; positions never go back.
		this.#time += BigInt(random.below(2_000_000) - 200_000)
		this.#xid = this.#xid >= 4_294_967_295 ? 3 : this.#xid + 1
		const position = this.end + BigInt(random.below(30))
		const nextKey = () => (random.perMille(150) ? 1 + random.below(this.#keys) : this.#keys++)
		const transaction = makeTransaction({ random, nextKey, position, xid: this.#xid, committedAt: this.#time })
		this.transactions.push(transaction)
		this.end = transaction.end
		this.#world.note(`transaction at ${position}, ${transaction.rows.length} rows`)
		this.#stream?.wake()
	}

	/** The log grows by what nobody captures. */
	idle(): void {
		this.end += BigInt(1 + this.#world.random.below(200))
		this.#stream?.wake()
	}

	/** The server ends and starts: connections go, and the slot may stand where it was last saved. */
	restart(): void {
		this.#world.note('the server restarts')
		this.confirmed = this.#world.random.pick(this.#saved)
		this.#end('the server went away')
	}

	/** Streams from the slot. Another stream of it ends. */
	async open(process: Process, onFrame: (frame: Frame) => Promise<unknown> | undefined): Promise<SourceStream> {
		return await this.#world.call(process, 'open the stream', () => {
			this.#end('another capture took the slot')
			return this.#begin(process, onFrame)
		})
	}

	#begin(process: Process, onFrame: (frame: Frame) => Promise<unknown> | undefined): SourceStream {
		const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
		ended.catch(() => {})
		const opened: Opened = { process, wake: () => {}, end: reject, isOpen: true }
		this.#stream = opened
		this.#pump(opened, onFrame).catch(reject)
		return {
			ended,
			acknowledge: (position) => {
				this.onAcknowledged(position)
				this.#world.tell(process, `acknowledges ${position}`, () => {
					if (opened.isOpen) this.#confirm(position)
				})
			},
			close: () => {
				opened.isOpen = false
				if (this.#stream === opened) this.#stream = undefined
				resolve()
			},
		}
	}

	#confirm(position: bigint): void {
		if (position <= this.confirmed) return
		this.confirmed = position
		// What is kept of older ones is what a crash of the server could bring back.
		if (this.#world.random.perMille(700)) this.#saved.splice(0, this.#saved.length)
		this.#saved.push(position)
	}

	#end(why: string): void {
		if (!this.#stream) return
		this.#stream.isOpen = false
		this.#stream.end(new ReprieveError('UNAVAILABLE', why, { retryable: true }))
		this.#stream = undefined
	}

	async #pump(opened: Opened, onFrame: (frame: Frame) => Promise<unknown> | undefined): Promise<void> {
		const { random } = this.#world
		const known = new Set<number>()
		const from = this.confirmed
		let received = 0n
		let at = this.transactions.findIndex(({ position }) => position >= from)
		if (at < 0) at = this.transactions.length
		while (opened.isOpen) {
			const transaction = this.transactions[at]
			if (transaction) {
				for (const { relation, bytes } of transaction.messages) {
					if (random.perMille(200)) await this.#world.call(opened.process, 'receive', () => {})
					if (!opened.isOpen) return
					if (relation && !known.has(relation.oid)) {
						known.add(relation.oid)
						await onFrame({ kind: 'data', position: 0n, payload: relationMessage(relation) })
					}
					await onFrame({ kind: 'data', position: 0n, payload: bytes })
				}
				received = transaction.end
				at += 1
				continue
			}
			if (this.end > received) {
				received = this.end
				await this.#world.call(opened.process, `keepalive ${formatLsn(received)}`, () => {})
				if (opened.isOpen && this.transactions[at] === undefined)
					await onFrame({ kind: 'keepalive', walEnd: received, replyRequested: false })
				continue
			}
			await new Promise<void>((resolve) => {
				opened.wake = resolve
			})
			await this.#world.call(opened.process, 'hear', () => {})
		}
	}
}
