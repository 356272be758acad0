import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { EncodedFrame } from './writer.ts'

/** A frame that lies in the spool: where, and how long each of its records is. */
export type SpooledFrame = { topic: string; partition: number; at: number; lengths: number[] }

/**
 * Frames of a transaction under way that outgrew memory. The file has no name, so that nothing stays behind however the
 * process ends; what was not sent is decoded again.
 */
export class Spool {
	readonly #folder: string
	#file: Promise<FileHandle> | undefined
	#end = 0

	constructor(folder: string) {
		this.#folder = folder
	}

	/** Bytes that lie on disk. */
	get bytes(): number {
		return this.#end
	}

	async put({ topic, partition, records }: EncodedFrame): Promise<SpooledFrame> {
		const file = await this.#open()
		const at = this.#end
		const lengths = records.map((record) => record.length)
		const { bytesWritten } = await file.writev(records, at)
		const bytes = lengths.reduce((sum, length) => sum + length, 0)
		if (bytesWritten !== bytes) throw new Error(`${bytesWritten} of ${bytes} bytes could be set aside on disk`)
		this.#end += bytes
		return { topic, partition, at, lengths }
	}

	async get({ topic, partition, at, lengths }: SpooledFrame): Promise<EncodedFrame> {
		const file = await this.#open()
		const bytes = Buffer.alloc(lengths.reduce((sum, length) => sum + length, 0))
		const { bytesRead } = await file.read(bytes, 0, bytes.length, at)
		if (bytesRead !== bytes.length) throw new Error(`${bytesRead} of ${bytes.length} spooled bytes could be read back`)
		let end = 0
		const records = lengths.map((length) => {
			end += length
			return bytes.subarray(end - length, end)
		})
		return { topic, partition, records }
	}

	/** Forgets everything: it was sent. */
	async clear(): Promise<void> {
		if (this.#end === 0) return
		await (await this.#open()).truncate(0)
		this.#end = 0
	}

	async close(): Promise<void> {
		await (await this.#file)?.close()
	}

	#open(): Promise<FileHandle> {
		this.#file ??= openNameless(this.#folder)
		return this.#file
	}
}

async function openNameless(folder: string): Promise<FileHandle> {
	await mkdir(folder, { recursive: true })
	const path = join(folder, `spool-${randomUUID()}`)
	const file = await open(path, 'wx+', 0o600)
	await rm(path)
	return file
}
