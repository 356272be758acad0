import { type Channel, openVault, type Vault } from '@reprieve/vault'
import { Audit, type Covers } from './audit.ts'
import { ControlRecord } from './control.ts'
import { epochMs, Objects } from './objects.ts'
import { Source } from './source.ts'
import { lineageId, signer } from './transaction.ts'
import { duties, keepVault } from './upkeep.ts'
import { type Process, World } from './world.ts'

/** Steps in which anything may go wrong, and those in which everything must come right. */
const roughSteps = 100
const calmSteps = 6_000

/** What the processes of a simulation share. */
export type Ground = {
	world: World
	source: Source
	control: ControlRecord
	/** Captures mind no lease: what they write must do no harm. */
	isLawless: boolean
	vaultOf: (process: Process) => Vault
}

/** A program that is kept running. */
export type Program = {
	name: string
	/** How many of it run while things go wrong. */
	many: number
	/** Lives until it is told to stop. */
	live: (process: Process, stopping: Promise<unknown>) => Promise<void>
}

/** How changes come into the vault. */
export type Way = {
	/** The first captures, the others behind it. */
	programs: Program[]
	channel?: Channel
	covers: Covers
	/** What else may happen, and how often beside {@link chances}. */
	mishap?: { chance: number; happen: () => void }
}

/** Longer than anything that hangs: a segment whose commit is under way is never swept. */
const retentionMs = 120_000

/** Where a bucket's own retention keeps what is younger than that, upkeep may be as hasty. */
const hastyMs = 3_000

/** Times out of a thousand that two rounds of upkeep do the same at the end. */
const rivalries = 300

/** How often what happens. */
const chances = { commit: 60, idle: 12, upkeep: 20, crash: 6, hang: 6, stop: 3, restart: 2, look: 1 }

type Running = { program?: Program; process: Process; stop: () => void; hasEnded: boolean }

/** The loop from the log to the vault, two of everything, upkeep beside them, and everything that may go wrong. */
export class Loop {
	readonly world: World
	readonly #source: Source
	readonly #objects: Objects
	readonly #control: ControlRecord
	readonly #audit: Audit
	readonly #isLawless: boolean
	readonly #isHasty: boolean
	readonly #way: Way
	#running: Running[] = []
	#upkeeps: Running[] = []
	#started = 0
	#isCalm = false

	constructor(seed: number, openWay: (ground: Ground) => Way) {
		const world = new World(seed)
		this.world = world
		this.#source = new Source(world)
		this.#objects = new Objects(world)
		this.#control = new ControlRecord(world)
		this.#isLawless = world.random.perMille(350)
		this.#isHasty = world.random.perMille(500)
		if (this.#isHasty) this.#objects.keep('/data/', retentionMs)
		const vaultOf = (process: Process) => this.#vaultOf(process)
		const shared = { world, source: this.#source, control: this.#control }
		this.#way = openWay({ ...shared, isLawless: this.#isLawless, vaultOf })
		this.#audit = new Audit({ ...shared, objects: this.#objects, covers: this.#way.covers })
		this.#source.onAcknowledged = (position) => world.check(() => this.#audit.acknowledged(position))
		this.#control.onReceipts = (receipts) => world.check(() => this.#audit.receipted(receipts))
	}

	/** Throws what must not happen. */
	async run(): Promise<void> {
		const { world } = this
		await beginLineage(this.#objects, this.#source, this.#way.channel)
		for (let step = 0; step < roughSteps; step++) {
			this.#keepRunning()
			if (world.random.perMille(150) || !(await world.step())) await this.#happen()
		}
		await this.#calmDown()
		await world.settle()
		await this.#audit.finish()
	}

	async #happen(): Promise<void> {
		const { world } = this
		const { random } = world
		const { mishap } = this.#way
		const what = random.weighted({ ...chances, mishap: mishap?.chance ?? 0 })
		if (what === 'commit') this.#source.commit()
		else if (what === 'idle') this.#source.idle()
		else if (what === 'upkeep') this.#keepVault()
		else if (what === 'crash') this.#crash()
		else if (what === 'hang') world.hang(random.pick(this.#running).process, 3_000 + random.below(30_000))
		else if (what === 'stop') random.pick(this.#running).stop()
		else if (what === 'restart') this.#source.restart()
		else if (what === 'mishap') mishap?.happen()
		else await this.#audit.look()
	}

	#crash(): void {
		const victim = this.world.random.pick([...this.#running, ...this.#upkeeps])
		this.world.crash(victim.process)
		victim.hasEnded = true
	}

	#keepRunning(): void {
		this.#running = this.#running.filter(({ hasEnded }) => !hasEnded)
		for (const program of this.#way.programs)
			while (this.#of(program).length < this.#manyOf(program)) this.#running.push(this.#start(program))
	}

	#of(program: Program): Running[] {
		return this.#running.filter((running) => running.program === program)
	}

	/** Two captures that mind no lease would take the slot from each other for ever. */
	#manyOf(program: Program): number {
		return this.#isCalm && this.#isLawless && program === this.#way.programs[0] ? 1 : program.many
	}

	#start(program: Program): Running {
		const process = this.world.process(`${program.name} ${++this.#started}`)
		const { promise: stopping, resolve: stop } = Promise.withResolvers<void>()
		const running = { program, process, stop, hasEnded: false }
		void program.live(process, stopping).then(() => {
			running.hasEnded = true
		})
		return running
	}

	/** A second round may begin beside the first, as when its lease ran out: of what both do, one comes to nothing. */
	#keepVault(duty?: (typeof duties)[number]): void {
		this.#upkeeps = this.#upkeeps.filter(({ hasEnded }) => !hasEnded)
		if (this.#upkeeps.length > 1) return
		const process = this.world.process(`upkeep ${++this.#started}`)
		const running = { process, stop: () => {}, hasEnded: false }
		this.#upkeeps.push(running)
		const upkeep = { world: this.world, vault: this.#vaultOf(process), duty }
		void keepVault({ ...upkeep, retentionMs: this.#isHasty ? hastyMs : retentionMs }).then(() => {
			running.hasEnded = true
		})
	}

	/** Two rounds at once that do the same. */
	#rival(): void {
		const duty = this.world.random.pick(duties)
		this.#keepVault(duty)
		this.#keepVault(duty)
	}

	#vaultOf(process: Process): Vault {
		const { world } = this
		const now = () => epochMs + world.now + process.skewMs
		return openVault({ store: this.#objects.storeFor(world, process), database: 'shop', now, newId: world.newId })
	}

	/** Nothing goes wrong any more: all that committed must arrive. */
	async #calmDown(): Promise<void> {
		const { world } = this
		world.isRough = false
		this.#isCalm = true
		for (const program of this.#way.programs)
			for (const one of this.#of(program).slice(this.#manyOf(program))) this.#end(one)
		if (world.random.perMille(rivalries)) this.#rival()
		this.#source.commit()
		const final = this.#source.transactions.findLast(({ receipt }) => receipt)
		for (let step = 0; step < calmSteps; step++) {
			this.#keepRunning()
			const isKept = this.#upkeeps.every(({ hasEnded }) => hasEnded)
			if (isKept && (!final || this.#control.receipts.has(final.position))) return
			await world.step()
		}
		throw new Error(`after ${calmSteps} steps without trouble there is no receipt at ${final?.position}`)
	}

	#end(one: Running): void {
		this.world.crash(one.process)
		one.hasEnded = true
	}
}

/** Loads what is loaded at its first use: that takes turns of the system's own, which no seed can repeat. */
export async function warmUp(): Promise<void> {
	const store = new Objects(new World(0)).untroubled()
	const transaction = { position: { timeline: 1, lsn: 1n }, end: 2n, xid: 3, committedAt: 0n, rows: {}, barriers: [] }
	const entry = { source: lineageId, position: 2n, transactions: [transaction] }
	await openVault({ store, database: 'shop' }).transactions.append(entry)
}

/** The lineage as its opening leaves it. */
async function beginLineage(objects: Objects, source: Source, channel: Channel | undefined): Promise<void> {
	const vault = openVault({ store: objects.untroubled(), database: 'shop', now: () => 0 })
	const of = { systemIdentifier: '7', databaseOid: 5, slot: 's', timeline: 1, openedAt: '2026-01-01T00:00:00Z' }
	await vault.putLineage({ id: lineageId, ...of, nonces: [], ...(channel && { channel }) })
	await vault.putKey({ id: signer.keyId, publicKey: signer.publicKey, validFrom: '2020-01-01T00:00:00Z' })
	await vault.transactions.append({ source: lineageId, position: source.confirmed, transactions: [] })
}
