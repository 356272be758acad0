import type { Store } from '@reprieve/vault'

/** Reads of segments and of the key index, of the index alone, and of logs, with the bytes that they brought. */
export type Reads = { data: number; dataBytes: number; index: number; log: number; logBytes: number }

const none: Reads = { data: 0, dataBytes: 0, index: 0, log: 0, logBytes: 0 }

/** A store that counts what is read through it. */
export function countingStore(store: Store): { store: Store; take(): Reads } {
	let reads = { ...none }
	const count = async (key: string, reading: Promise<Uint8Array | undefined>) => {
		const bytes = await reading
		if (key.includes('/_delta_log/')) {
			reads.log++
			reads.logBytes += bytes?.length ?? 0
		} else {
			reads.data++
			reads.dataBytes += bytes?.length ?? 0
			if (key.includes('/_index/')) reads.index++
		}
		return bytes
	}
	return {
		store: {
			...store,
			get: (key) => count(key, store.get(key)),
			getRange: (key, from, to) => count(key, store.getRange(key, from, to)),
		},
		/** What was read since it was last asked. */
		take() {
			const taken = reads
			reads = { ...none }
			return taken
		},
	}
}
