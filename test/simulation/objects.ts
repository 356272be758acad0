import type { Store, StoredObject } from '@reprieve/vault'
import type { Process, World } from './world.ts'

/** Milliseconds since 1970 at which the simulation's clock begins. */
export const epochMs = 1_700_000_000_000

/** Objects of a store in memory; what it answers is what an untroubled store would. */
export class Objects {
	readonly #world: World
	readonly #objects = new Map<string, { bytes: Uint8Array; modifiedAt: number }>()
	#kept: { part: string; ms: number } | undefined

	constructor(world: World) {
		this.#world = world
	}

	put(key: string, bytes: Uint8Array): 'created' | 'exists' {
		if (this.#objects.has(key)) return 'exists'
		this.replace(key, bytes)
		return 'created'
	}

	replace(key: string, bytes: Uint8Array): void {
		this.#objects.set(key, { bytes, modifiedAt: epochMs + this.#world.now })
	}

	get(key: string): Uint8Array | undefined {
		return this.#objects.get(key)?.bytes
	}

	/** Keeps objects with such a part in their key for so long, as a bucket's own retention does. */
	keep(part: string, ms: number): void {
		this.#kept = { part, ms }
	}

	delete(key: string): 'deleted' | 'kept' {
		const object = this.#objects.get(key)
		if (object && this.#kept && key.includes(this.#kept.part)) {
			if (epochMs + this.#world.now - object.modifiedAt < this.#kept.ms) return 'kept'
		}
		this.#objects.delete(key)
		return 'deleted'
	}

	list(prefix: string): StoredObject[] {
		return [...this.#objects]
			.filter(([key]) => key.startsWith(prefix))
			.map(([key, { bytes, modifiedAt }]) => ({ key, size: bytes.length, modifiedAt }))
			.sort((a, b) => (a.key < b.key ? -1 : 1))
	}

	folders(prefix: string): string[] {
		const names = this.list(prefix).flatMap(({ key }) => {
			const rest = key.slice(prefix.length)
			return rest.includes('/') ? [rest.slice(0, rest.indexOf('/'))] : []
		})
		return [...new Set(names)]
	}

	/** The store as nobody's calls reach it: at once, and without trouble. */
	untroubled(): Store {
		const ask = async <T>(label: string, act: () => T) => {
			this.#world.spend(label)
			return act()
		}
		return {
			put: (key, bytes) => ask(`put ${key}`, () => this.put(key, bytes)),
			get: (key) => ask(`get ${key}`, () => this.get(key)),
			getRange: (key, from, to) => ask(`range ${key}`, () => this.get(key)?.subarray(from, to)),
			size: (key) => ask(`size ${key}`, () => this.get(key)?.length),
			list: (prefix) => handOut(ask(`list ${prefix}`, () => this.list(prefix))),
			folders: (prefix) => ask(`folders ${prefix}`, () => this.folders(prefix)),
			replace: (key, bytes) => ask(`replace ${key}`, () => this.replace(key, bytes)),
			delete: (key) => ask(`delete ${key}`, () => this.delete(key)),
			settle: async () => {},
		}
	}

	/** The store as a process has it: every call waits for its turn, and may fail. */
	storeFor(world: World, process: Process): Store {
		const ask = <T>(label: string, act: () => T) => world.call(process, label, act)
		const write = <T>(label: string, act: () => T) => world.call(process, label, act, { isWrite: true })
		const list = (prefix: string) => this.list(prefix)
		return {
			put: (key, bytes) => write(`put ${key}`, () => this.put(key, bytes)),
			get: (key) => ask(`get ${key}`, () => this.get(key)),
			getRange: (key, from, to) => ask(`range ${key}`, () => this.get(key)?.subarray(from, to)),
			size: (key) => ask(`size ${key}`, () => this.get(key)?.length),
			// Pages of a listing are of different moments.
			async *list(prefix) {
				const first = await ask(`list ${prefix}`, () => list(prefix).slice(0, pageSize))
				yield* first
				const final = first.at(-1)?.key
				if (final === undefined || first.length < pageSize) return
				yield* await ask(`list ${prefix} on`, () => list(prefix).filter(({ key }) => key > final))
			},
			folders: (prefix) => ask(`folders ${prefix}`, () => this.folders(prefix)),
			replace: (key, bytes) => write(`replace ${key}`, () => this.replace(key, bytes)),
			delete: (key) => write(`delete ${key}`, () => this.delete(key)),
			settle: async () => {},
		}
	}
}

const pageSize = 8

async function* handOut<T>(list: Promise<T[]>): AsyncIterable<T> {
	yield* await list
}
