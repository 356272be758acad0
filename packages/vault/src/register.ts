import { ReprieveError } from '@reprieve/contracts'
import { corrupt, sealRecord, unsealRecord } from './seal.ts'
import { putOnce, type Store } from './store.ts'

/** Older versions that stay, for whoever is just reading them. */
const keptVersions = 8

/** Versions that one write deletes at most: where a bucket keeps them all, its cost must not grow with them. */
const cleanedVersions = 2

/** A small record that is replaced as a whole by compare-and-set: its versions are numbered objects, put if absent. */
export type Register<T> = {
	/** The newest content and its number; version -1 without content before the first. */
	read(): Promise<{ version: number; value: T | undefined }>
	/** Puts the content that follows version `after`. Throws CONFLICT when somebody else did first. */
	write(after: number, value: T): Promise<void>
}

/** The register in a folder of a store. */
export function openRegister<T>(store: Store, folder: string): Register<T> {
	return {
		async read() {
			for (let missing = -1; ; ) {
				const version = (await versionsOf(store, folder)).at(-1) ?? -1
				if (version < 0) return { version, value: undefined }
				const key = keyOf(folder, version)
				const bytes = await store.get(key)
				if (bytes !== undefined) return { version, value: unsealRecord<T>(key, bytes) }
				if (version === missing) throw corrupt(key, 'it is missing')
				// A version that was listed may have been replaced, and cleaned away, meanwhile: then others are listed now.
				missing = version
			}
		},
		async write(after, value) {
			const key = keyOf(folder, after + 1)
			if ((await putOnce(store, key, sealRecord(key, value))) === 'exists') throw lost(folder, after + 1)
			const versions = await versionsOf(store, folder)
			const newest = versions.at(-1) ?? -1
			if (newest > after + 1) {
				await store.delete(key)
				throw lost(folder, newest)
			}
			for (const version of versions.filter((number) => number <= newest - keptVersions).slice(0, cleanedVersions))
				await store.delete(keyOf(folder, version))
		},
	}
}

/** The names of the registers under a folder. */
export async function listRegisters(store: Store, folder: string): Promise<string[]> {
	return (await store.folders(`${folder}/`)).sort()
}

async function versionsOf(store: Store, folder: string): Promise<number[]> {
	const versions: number[] = []
	for await (const { key } of store.list(`${folder}/`)) {
		const match = /\/(\d{10})\.json$/.exec(key)
		if (match) versions.push(Number(match[1]))
	}
	return versions
}

function keyOf(folder: string, version: number): string {
	return `${folder}/${version.toString().padStart(10, '0')}.json`
}

function lost(folder: string, version: number): ReprieveError {
	return new ReprieveError('CONFLICT', `another process wrote version ${version} of ${folder} first`, {
		hint: 'Read the record again; only one process may own it.',
	})
}
