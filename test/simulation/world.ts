import { ReprieveError } from '@reprieve/contracts'
import type { Clock } from '@reprieve/sidecar/steps'
import { Random } from './random.ts'

/** A process of the simulation: what it knows goes with it, what the ports have stays. */
export type Process = {
	name: string
	isAlive: boolean
	/** It does nothing, and hears nothing, until then. */
	hungUntil: number
	/** Milliseconds by which its wall clock is wrong. */
	skewMs: number
}

type Call = {
	process: Process
	label: string
	/** Does to the port what was asked, at one moment. */
	act: () => unknown
	isWrite: boolean
	resolve: (value: unknown) => void
	reject: (error: unknown) => void
}

type Timer = { process: Process; at: number; work: () => void }

/** What may become of a call, out of a thousand. */
const fates = { refused: 12, unanswered: 15, late: 12 }

/** Questions to ports in one simulation at most: whoever asks more asks for ever. A busy seed needs a tenth. */
const questions = 100_000

/** Times out of a thousand that a process hangs at its entry to a log. */
const entryHangs = 80

/**
 * Everything that processes and ports do, one thing after another in an order that the seed chooses. Calls wait until they
 * are chosen; time goes on only by timers.
 */
export class World {
	readonly random: Random
	/** Milliseconds of the clock that nobody sets. */
	now = 1_000_000
	/** Whether calls may fail. */
	isRough = true
	/** What happened, for whoever looks for the reason of a failure. */
	readonly history: string[] = []
	#calls: Call[] = []
	/** Writes that nobody waits for any more, and that may still arrive. */
	#stragglers: { label: string; act: () => unknown }[] = []
	#timers: Timer[] = []
	#checks: (() => Promise<void>)[] = []
	#ids = 0
	#asked = 0
	#failure: unknown

	constructor(seed: number) {
		this.random = new Random(seed)
	}

	process(name: string): Process {
		return { name, isAlive: true, hungUntil: 0, skewMs: this.random.below(4_000) - 2_000 }
	}

	/** Asks a port; the answer comes when the seed chooses so, or an error, or neither. */
	call<T>(process: Process, label: string, act: () => T, { isWrite = false } = {}): Promise<T> {
		if (!process.isAlive) return new Promise(() => {})
		this.spend(label)
		return new Promise<T>((resolve, reject) => {
			this.#calls.push({ process, label, act, isWrite, resolve: resolve as (value: unknown) => void, reject })
		})
	}

	/** Counts a question to a port; throws when there were so many that no answer would end it. */
	spend(label: string): void {
		this.#asked += 1
		if (this.#asked <= questions) return
		const endless = new Error(`${questions} questions were asked of ports, and now: ${label}`)
		this.fail(endless)
		throw endless
	}

	/** Tells a port something without waiting for it. */
	tell(process: Process, label: string, act: () => void): void {
		if (process.isAlive) this.#stragglers.push({ label: `${process.name} ${label}`, act })
	}

	clockOf(process: Process): Clock {
		const after = (ms: number, work: () => void) => {
			const timer = { process, at: this.now + ms, work }
			this.#timers.push(timer)
			return () => {
				this.#timers = this.#timers.filter((other) => other !== timer)
			}
		}
		return {
			now: () => this.now,
			after,
			every(ms, work) {
				let callOff = () => {}
				const arm = () => {
					callOff = after(ms, () => {
						arm()
						work()
					})
				}
				arm()
				return () => callOff()
			},
		}
	}

	newId = (): string => `id-${String(this.#ids++).padStart(6, '0')}`

	note(what: string): void {
		this.history.push(`${this.now} ${what}`)
	}

	/** Looks at the ports before anything else happens. */
	check(look: () => Promise<void>): void {
		this.#checks.push(look)
	}

	/** Ends the simulation: what must not happen has. */
	fail(error: unknown): void {
		this.#failure ??= error
	}

	/** A process ends here; what it had asked for may still arrive. */
	crash(process: Process): void {
		this.note(`${process.name} crashes`)
		process.isAlive = false
		for (const { process: asker, label, act, isWrite } of this.#calls)
			if (asker === process && isWrite && this.random.perMille(500)) this.#stragglers.push({ label, act })
		this.#calls = this.#calls.filter((call) => call.process !== process)
		this.#timers = this.#timers.filter((timer) => timer.process !== process)
	}

	hang(process: Process, ms: number): void {
		this.note(`${process.name} hangs for ${ms} ms`)
		process.hungUntil = this.now + ms
		this.#timers.push({ process, at: process.hungUntil, work: () => {} })
	}

	/** Lets one thing happen; answers whether there was one. */
	async step(): Promise<boolean> {
		await this.settle()
		const calls = this.#calls.filter(({ process }) => process.hungUntil <= this.now)
		const lateness = this.#stragglers.length > 0 ? 100 : 0
		const kind = this.random.weighted({
			call: calls.length > 0 ? 800 : 0,
			straggler: lateness,
			timer: this.#timers.length > 0 ? 60 : 0,
			nothing: calls.length + this.#stragglers.length + this.#timers.length > 0 ? 0 : 1,
		})
		if (kind === 'call') this.#answer(this.random.pick(calls))
		else if (kind === 'straggler') this.#arrive()
		else if (kind === 'timer') this.#wake()
		return kind !== 'nothing'
	}

	/** Everything that goes on by itself has gone on; then what was to be looked at is. */
	async settle(): Promise<void> {
		await new Promise(setImmediate)
		for (let look = this.#checks.shift(); look; look = this.#checks.shift()) await look()
		if (this.#failure) throw this.#failure
	}

	#answer(call: Call): void {
		const { process, label, act, isWrite, resolve, reject } = call
		// Just before an entry is put, so that a rival's comes first and the entry is proposed again.
		if (this.isRough && label.startsWith('put ') && label.includes('_delta_log') && this.random.perMille(entryHangs)) {
			this.hang(process, 3_000 + this.random.below(20_000))
			return
		}
		this.#calls = this.#calls.filter((other) => other !== call)
		const fate = this.#fateOf(isWrite)
		this.note(`${process.name} ${label}${fate === 'done' ? '' : ` (${fate})`}`)
		if (fate === 'done') {
			settle(act, resolve, reject)
			return
		}
		if (fate === 'unanswered') settle(act, noted, noted)
		if (fate === 'late') this.#stragglers.push({ label: `${process.name} ${label}`, act })
		reject(new ReprieveError('VAULT_UNAVAILABLE', `simulated: ${label} ${fate}`, { retryable: true }))
	}

	#fateOf(isWrite: boolean): 'done' | keyof typeof fates {
		if (!this.isRough) return 'done'
		const roll = this.random.below(1_000)
		if (roll < fates.refused) return 'refused'
		if (!isWrite) return 'done'
		if (roll < fates.refused + fates.unanswered) return 'unanswered'
		return roll < fates.refused + fates.unanswered + fates.late ? 'late' : 'done'
	}

	#arrive(): void {
		const [straggler] = this.#stragglers.splice(this.random.below(this.#stragglers.length), 1)
		if (!straggler) return
		this.note(`${straggler.label} arrives`)
		settle(straggler.act, noted, noted)
	}

	/** The timer that is due first; a process that hangs has its own when it wakes. */
	#wake(): void {
		const dueOf = ({ at, process }: Timer) => Math.max(at, process.hungUntil)
		const [first] = this.#timers.toSorted((a, b) => dueOf(a) - dueOf(b))
		if (!first) return
		this.#timers = this.#timers.filter((timer) => timer !== first)
		this.now = Math.max(this.now, dueOf(first))
		first.work()
	}
}

const noted = () => {}

function settle(act: () => unknown, resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
	try {
		resolve(act())
	} catch (error) {
		reject(error)
	}
}
