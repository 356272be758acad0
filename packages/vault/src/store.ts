/** One stored object as a listing shows it. */
export type StoredObject = { key: string; size: number; modifiedAt: number }

/**
 * Where objects lie: a folder or a bucket. Keys are relative, `/` between parts, and no key is the folder of another.
 * An object never changes once put. Every method that writes returns only when what it wrote survives a power failure.
 */
export interface Store {
	/** Creates an object, atomically, only if the key is free. Throws when the outcome is unknown: {@link putOnce} settles it. */
	put(key: string, bytes: Uint8Array): Promise<'created' | 'exists'>
	/** The whole object, or undefined when there is none. */
	get(key: string): Promise<Uint8Array | undefined>
	/** Bytes `from` (inclusive) to `to` (exclusive), or undefined when there is no such object. */
	getRange(key: string, from: number, to: number): Promise<Uint8Array | undefined>
	/** Bytes, or undefined when there is no such object. */
	size(key: string): Promise<number | undefined>
	/** Every object under a prefix that ends in `/` (or under '', all), in byte order of the keys. Never on the hot path. */
	list(prefix: string): AsyncIterable<StoredObject>
	/** Names of the folders right under a prefix that ends in `/`, at the cost of those alone. */
	folders(prefix: string): Promise<string[]>
	/** Overwrites an object atomically. Only for hints that may be lost or stale at any time (`_last_checkpoint`). */
	replace(key: string, bytes: Uint8Array): Promise<void>
	/** Removes an object; no error when there is none. `kept`: retention or a policy forbids it, and it is still there. */
	delete(key: string): Promise<'deleted' | 'kept'>
	/** Makes what is visible under a prefix durable, also what a writer that died since has put there. */
	settle(prefix: string): Promise<void>
}

/**
 * Puts an object and settles an unknown outcome: after a conflict or a failure, what is there is compared with what was sent,
 * so that an own success whose answer was lost is not mistaken for somebody else's, and made durable, which may be what
 * failed. Throws the failure when nothing is there.
 */
export async function putOnce(store: Store, key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
	let failure: unknown
	try {
		if ((await store.put(key, bytes)) === 'created') return 'created'
	} catch (error) {
		failure = error
	}
	const found = await store.get(key)
	if (found === undefined) throw failure ?? new Error(`${key} exists, yet cannot be read`)
	if (failure !== undefined) await store.settle(key.slice(0, key.lastIndexOf('/') + 1))
	return Buffer.compare(found, bytes) === 0 ? 'created' : 'exists'
}
