import { mkdtempSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Mapping } from './mapping.ts'

/** An update that is a relink if one of these parents is deleted by the same transaction. */
export type Candidate = { mapping: Mapping; ordinal: number; parents: string[]; columns: string[] }

/** Ordinal, mapping and length of an update in the spool. */
const headerBytes = 12

/**
 * Updates of the transaction under way that cannot be decided before its COMMIT, as the bytes in which they came. What
 * memory should not hold goes to a temporary file, which is of no use after a crash.
 */
export class RelinkSpool {
	readonly #memoryBytes: number
	#mappings: Mapping[] = []
	#waiting: Buffer[] = []
	#waitingBytes = 0
	#file: { handle: FileHandle; bytes: number } | undefined

	constructor(memoryBytes = 1024 * 1024) {
		this.#memoryBytes = memoryBytes
	}

	get isEmpty(): boolean {
		return this.#mappings.length === 0
	}

	/** Answers a promise when memory is full: nothing may be added before it resolves. */
	add(update: Uint8Array, ordinal: number, mapping: Mapping): Promise<void> | undefined {
		let place = this.#mappings.indexOf(mapping)
		if (place < 0) place = this.#mappings.push(mapping) - 1
		const header = Buffer.alloc(headerBytes)
		header.writeUInt32BE(ordinal, 0)
		header.writeUInt32BE(place, 4)
		header.writeUInt32BE(update.length, 8)
		this.#waiting.push(Buffer.concat([header, update]))
		this.#waitingBytes += headerBytes + update.length
		return this.#waitingBytes > this.#memoryBytes ? this.#write() : undefined
	}

	/** Hands out every update, in order, and forgets them. */
	async *replay(): AsyncIterable<{ bytes: Uint8Array; ordinal: number; mapping: Mapping }> {
		for await (const record of this.#records()) {
			const mapping = this.#mappings[record.readUInt32BE(4)]
			if (mapping) yield { ordinal: record.readUInt32BE(0), mapping, bytes: record.subarray(headerBytes) }
		}
		await this.clear()
	}

	/** Forgets everything. */
	async clear(): Promise<void> {
		this.#mappings = []
		this.#waiting = []
		this.#waitingBytes = 0
		const file = this.#file
		this.#file = undefined
		await file?.handle.close()
	}

	async *#records(): AsyncIterable<Buffer> {
		const { handle, bytes } = this.#file ?? { bytes: 0 }
		const header = Buffer.alloc(headerBytes)
		for (let at = 0; handle && at < bytes; ) {
			await readFully(handle, header, at)
			const record = Buffer.alloc(headerBytes + header.readUInt32BE(8))
			await readFully(handle, record, at)
			yield record
			at += record.length
		}
		yield* this.#waiting
	}

	async #write(): Promise<void> {
		this.#file ??= await temporaryFile()
		const bytes = Buffer.concat(this.#waiting)
		this.#waiting = []
		this.#waitingBytes = 0
		await this.#file.handle.appendFile(bytes)
		this.#file.bytes += bytes.length
	}
}

/** A file without a name: it goes with its handle, also after a crash. */
async function temporaryFile() {
	const folder = mkdtempSync(join(tmpdir(), 'reprieve-relinks-'))
	const handle = await open(join(folder, 'updates'), 'a+', 0o600)
	rmSync(folder, { recursive: true })
	return { handle, bytes: 0 }
}

async function readFully(handle: FileHandle, into: Buffer, at: number): Promise<void> {
	const { bytesRead } = await handle.read(into, 0, into.length, at)
	if (bytesRead < into.length)
		throw new Error(`the relink spool ends at ${at + bytesRead}, ${into.length} bytes were due`)
}
