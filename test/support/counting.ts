import type { Store } from '@reprieve/vault'

/** Reads of segments and of the key index, of the index alone, and of logs, with their bytes, and bytes written to each. */
export type Traffic = {
	data: number
	dataBytes: number
	index: number
	log: number
	logBytes: number
	written: { data: number; index: number; log: number }
}

const nothing = (): Traffic => ({
	...{ data: 0, dataBytes: 0, index: 0, log: 0, logBytes: 0 },
	written: { data: 0, index: 0, log: 0 },
})

const kindOf = (key: string) => (key.includes('/_delta_log/') ? 'log' : key.includes('/_index/') ? 'index' : 'data')

/** A store that counts what goes through it. */
export function countingStore(store: Store): { store: Store; take(): Traffic } {
	let traffic = nothing()
	const count = async (key: string, reading: Promise<Uint8Array | undefined>) => {
		const bytes = await reading
		const isLog = kindOf(key) === 'log'
		traffic[isLog ? 'log' : 'data']++
		traffic[isLog ? 'logBytes' : 'dataBytes'] += bytes?.length ?? 0
		if (kindOf(key) === 'index') traffic.index++
		return bytes
	}
	return {
		store: {
			...store,
			get: (key) => count(key, store.get(key)),
			getRange: (key, from, to) => count(key, store.getRange(key, from, to)),
			put(key, bytes) {
				traffic.written[kindOf(key)] += bytes.length
				return store.put(key, bytes)
			},
		},
		/** What went through since it was last asked. */
		take() {
			const taken = traffic
			traffic = nothing()
			return taken
		},
	}
}
