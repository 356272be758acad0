import { randomUUID } from 'node:crypto'
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { ReprieveError } from '@reprieve/contracts'
import type { Store, StoredObject } from '../store.ts'
import { checkKey } from './key.ts'
import { Root } from './root.ts'

/** Folder for files under construction; it is on the same file system, so that they can be linked into place. */
const workshop = '.tmp'
/** A file there that stays: who reads it again finds the same root. */
const markName = 'root'

/** A file that has been under construction for so long is one whose writer was killed. */
const draftMs = 24 * 3_600_000

/** A store's folder, and those of its folders whose names are known to survive a power failure. */
type Place = { root: string; held: Root; durable: Set<string>; isTidy: boolean }

/**
 * A store in a local folder. An object is written to a temporary file, synced, and linked into place: `link` refuses an
 * existing name, `rename` would silently overwrite it. Folders are synced too, new ones up to the root. Where another folder
 * has come to lie under the root's path, because the root is no longer mounted, every method throws VAULT_UNAVAILABLE
 * until it is back: nothing is written beside the vault, and nothing is called absent that is not at hand.
 */
export function fileStore(folder: string): Store {
	const held = new Root(folder, join(folder, workshop, markName))
	const place: Place = { root: folder, held, durable: new Set(), isTidy: false }
	const pathOf = (key: string) => join(folder, ...checked(key).split('/'))
	const reading = <T>(key: string, act: () => Promise<T>) => guarded(key, () => readFrom(held, act))
	const writing = <T>(key: string, act: () => Promise<T>) => guarded(key, () => writeTo(held, act))
	return {
		put: (key, bytes) => writing(key, () => putFile(place, pathOf(key), bytes)),
		get: (key) => reading(key, () => absentAsUndefined(readFile(pathOf(key)))),
		getRange: (key, from, to) => reading(key, () => readRange(pathOf(key), from, to)),
		size: (key) => reading(key, async () => (await absentAsUndefined(stat(pathOf(key))))?.size),
		list: (prefix) => listFiles(place, prefix),
		folders: (prefix) => reading(prefix, () => listFolders(join(folder, ...prefix.split('/')))),
		replace: (key, bytes) => writing(key, () => replaceFile(place, pathOf(key), bytes)),
		delete: (key) => writing(key, () => removeFile(pathOf(key))),
		settle: (prefix) => writing(prefix, () => settleFolder(join(folder, ...prefix.split('/')))),
	}
}

async function readFrom<T>(held: Root, act: () => Promise<T>): Promise<T> {
	const found = await act()
	await held.require()
	return found
}

/** Looked for again behind what was written: it may have gone to the folder that lies under the mount. */
async function writeTo<T>(held: Root, act: () => Promise<T>): Promise<T> {
	await held.require()
	return await readFrom(held, act)
}

function checked(key: string): string {
	if (key.split('/')[0] === workshop) throw new ReprieveError('INVALID', `"${key}" is not an object key`)
	return checkKey(key)
}

async function guarded<T>(key: string, act: () => Promise<T>): Promise<T> {
	try {
		return await act()
	} catch (cause) {
		if (cause instanceof ReprieveError) throw cause
		throw new ReprieveError('VAULT_UNAVAILABLE', `vault object ${key}: ${(cause as Error).message}`, {
			hint: 'Check that the vault folder is mounted, writable and has free space.',
			cause,
		})
	}
}

async function putFile(place: Place, path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
	return (await linkDraft(place, await writeDraft(place, bytes), path)) ? 'created' : 'exists'
}

/** Gives a draft its name unless that is taken; answers whether it has it. */
async function linkDraft(place: Place, draft: string, path: string): Promise<boolean> {
	try {
		await makeFolder(place, dirname(path))
		const created = await linked(draft, path)
		await syncFolder(dirname(path))
		return created
	} finally {
		await rm(draft, { force: true })
	}
}

async function linked(draft: string, path: string): Promise<boolean> {
	try {
		await link(draft, path)
		return true
	} catch (error) {
		if (codeOf(error) === 'EEXIST') return false
		throw error
	}
}

async function replaceFile(place: Place, path: string, bytes: Uint8Array): Promise<void> {
	const draft = await writeDraft(place, bytes)
	try {
		await makeFolder(place, dirname(path))
		await rename(draft, path)
		await syncFolder(dirname(path))
	} finally {
		await rm(draft, { force: true })
	}
}

async function removeFile(path: string): Promise<'deleted'> {
	await rm(path, { force: true })
	return 'deleted'
}

/** What a full disk cut short goes at once: every further try would leave as much again. */
async function writeDraft(place: Place, bytes: Uint8Array): Promise<string> {
	const drafts = join(place.root, workshop)
	await mkdir(drafts, { recursive: true })
	await tidy(place, drafts)
	const write = (content: Uint8Array) => writeSynced(join(drafts, randomUUID()), content)
	await place.held.mark(async (mark) => {
		await linkDraft(place, await write(Buffer.from(mark)), join(drafts, markName))
	})
	return await write(bytes)
}

/** Answers the draft, which is whole. */
async function writeSynced(draft: string, bytes: Uint8Array): Promise<string> {
	try {
		await using file = await open(draft, 'wx', 0o640)
		await file.writeFile(bytes)
		await file.sync()
		return draft
	} catch (error) {
		await rm(draft, { force: true })
		throw error
	}
}

/** Removes what killed writers left, once per store: nothing names it, so nothing else would. */
async function tidy(place: Place, drafts: string): Promise<void> {
	if (place.isTidy) return
	place.isTidy = true
	const before = Date.now() - draftMs
	for (const name of await readdir(drafts)) {
		if (name === markName) continue
		const found = await absentAsUndefined(stat(join(drafts, name)))
		if (found && found.mtimeMs < before) await rm(join(drafts, name), { force: true })
	}
}

/**
 * Creates the folder and syncs the parent of each folder that was missing. One that is there already may be somebody else's
 * who has not come to that yet: the first put into it syncs its parents up to the root too.
 */
async function makeFolder({ root, durable }: Place, folder: string): Promise<void> {
	const first = await mkdir(folder, { recursive: true })
	if (first === undefined && durable.has(folder)) return
	for (let child = folder; child !== dirname(child); child = dirname(child)) {
		const isAbove = child === root || !child.startsWith(join(root, sep))
		if (isAbove && first === undefined) break
		await syncFolder(dirname(child))
		if (isAbove && child === first) break
	}
	durable.add(folder)
}

async function settleFolder(folder: string): Promise<void> {
	await syncFolder(folder).catch((error: unknown) => {
		if (codeOf(error) !== 'ENOENT') throw error
	})
}

async function syncFolder(folder: string): Promise<void> {
	await using handle = await open(folder, 'r')
	await handle.sync()
}

async function readRange(path: string, from: number, to: number): Promise<Uint8Array | undefined> {
	const file = await absentAsUndefined(open(path, 'r'))
	if (!file) return undefined
	await using handle: FileHandle = file
	const bytes = Buffer.alloc(to - from)
	const { bytesRead } = await handle.read(bytes, 0, bytes.length, from)
	return bytes.subarray(0, bytesRead)
}

async function* listFiles({ root, held }: Place, prefix: string): AsyncIterable<StoredObject> {
	const start = join(root, ...prefix.split('/'))
	const read = () => absentAsUndefined(readdir(start, { recursive: true, withFileTypes: true }))
	const entries = (await readFrom(held, read)) ?? []
	const keys = entries
		.filter((entry) => entry.isFile())
		.map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
		.filter((key) => !key.startsWith(`${workshop}/`))
	keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
	for (const key of keys) {
		const found = await absentAsUndefined(stat(join(root, key)))
		if (found) yield { key, size: found.size, modifiedAt: found.mtimeMs }
		else await held.require()
	}
}

async function listFolders(path: string): Promise<string[]> {
	const entries = (await absentAsUndefined(readdir(path, { withFileTypes: true }))) ?? []
	return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}

async function absentAsUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
	try {
		return await reading
	} catch (error) {
		if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
		throw error
	}
}

function codeOf(error: unknown): string | undefined {
	return (error as NodeJS.ErrnoException).code
}
