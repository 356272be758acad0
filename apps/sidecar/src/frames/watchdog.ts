import type { Lane } from './brokers.ts'

/** Where a lane stood when records were first seen behind it. */
type Sight = { next: bigint; at: number }

/** Notices lanes with records that nobody takes. Pure but for what it remembers. */
export class Watchdog {
	readonly #patienceMs: number
	readonly #seen = new Map<string, Sight>()

	constructor(patienceMs: number) {
		this.#patienceMs = patienceMs
	}

	/** Whether a lane's next record has been there for too long: `high` is the offset behind its last. */
	look({ topic, partition }: Lane, { next, high, now }: { next: bigint; high: bigint; now: number }): boolean {
		const key = `${topic}:${partition}`
		const seen = this.#seen.get(key)
		if (high <= next) this.#seen.delete(key)
		else if (seen?.next !== next) this.#seen.set(key, { next, at: now })
		else return now - seen.at >= this.#patienceMs
		return false
	}
}
