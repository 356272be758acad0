import { randomUUID } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { ReprieveError } from '@reprieve/contracts'

/** Device and inode of a folder, and what its mark says; undefined until it has one. */
type Known = { inode: string; mark: string | undefined }

/**
 * The folder that a store first found at its path. A mount that ends lays bare another folder under the same path, which takes
 * writes and calls everything absent; nothing but the folder's identity tells. One that is mounted again may have
 * another device, so it is known by its mark too.
 */
export class Root {
	readonly #path: string
	readonly #markPath: string
	#known: Known | undefined

	constructor(path: string, markPath: string) {
		this.#path = path
		this.#markPath = markPath
	}

	/** Throws VAULT_UNAVAILABLE unless the folder is the one that was there first, or none was yet. */
	async require(): Promise<void> {
		const inode = await inodeOf(this.#path)
		if (this.#known === undefined) {
			if (inode !== undefined) this.#known = { inode, mark: await this.#readMark() }
			return
		}
		if (inode === this.#known.inode) return
		if (inode === undefined) throw away(`the vault folder ${this.#path} is gone`)
		const { mark } = this.#known
		if (mark === undefined || mark !== (await this.#readMark()))
			throw away(`another folder lies at ${this.#path} than the vault that was there before`)
		this.#known.inode = inode
	}

	/** Gives the folder its mark if it has none: `make` writes it unless somebody else has come first. */
	async mark(make: (mark: string) => Promise<void>): Promise<void> {
		if (this.#known?.mark !== undefined) return
		if ((await this.#readMark()) === undefined) await make(randomUUID())
		const mark = await this.#readMark()
		await this.require()
		if (this.#known) this.#known.mark = mark
	}

	async #readMark(): Promise<string | undefined> {
		return await readFile(this.#markPath, 'utf8').catch(() => undefined)
	}
}

async function inodeOf(path: string): Promise<string | undefined> {
	try {
		const { dev, ino } = await stat(path, { bigint: true })
		return `${dev}:${ino}`
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
		throw error
	}
}

function away(message: string): ReprieveError {
	return new ReprieveError('VAULT_UNAVAILABLE', message, {
		hint: 'Mount it again or put it back, then all goes on by itself; where another folder is meant to be there, start reprieve anew.',
	})
}
