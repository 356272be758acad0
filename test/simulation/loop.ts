import { openVault, type Vault } from '@reprieve/vault'
import { Audit } from './audit.ts'
import { runCapture } from './capture.ts'
import { ControlRecord } from './control.ts'
import { epochMs, Objects } from './objects.ts'
import { Source } from './source.ts'
import { lineageId, signer } from './transaction.ts'
import { keepVault } from './upkeep.ts'
import { type Process, World } from './world.ts'

/** Steps in which anything may go wrong, and those in which everything must come right. */
const roughSteps = 100
const calmSteps = 6_000

/** A process that does one program until it crashes or is told to stop. */
type Running = { process: Process; stop: () => void; hasEnded: boolean }

/** Capture straight into the vault: two of them, upkeep beside them, and everything that may go wrong. */
export class EmbeddedSimulation {
	readonly world: World
	readonly source: Source
	readonly #objects: Objects
	readonly #control: ControlRecord
	readonly #audit: Audit
	readonly #isLawless: boolean
	#captures: Running[] = []
	#upkeeps: Running[] = []
	#started = 0
	#many = 2

	constructor(seed: number) {
		this.world = new World(seed)
		this.source = new Source(this.world)
		this.#objects = new Objects(this.world)
		this.#control = new ControlRecord(this.world)
		this.#isLawless = this.world.random.perMille(350)
		this.#audit = new Audit({
			...{ world: this.world, objects: this.#objects, source: this.source },
			async covers(vault, name) {
				const archived = (await vault.table({ schema: 'public', name }).archived(lineageId)) ?? -1n
				return ({ position }) => position <= archived
			},
		})
		this.source.onAcknowledged = (position) => this.world.check(() => this.#audit.acknowledged(position))
		this.#control.onReceipts = (receipts) => this.world.check(() => this.#audit.receipted(receipts))
	}

	/** Throws what must not happen. */
	async run(): Promise<void> {
		const { world, source } = this
		await beginLineage(this.#objects, source)
		for (let step = 0; step < roughSteps; step++) {
			this.#keepRunning()
			if (world.random.perMille(150) || !(await world.step())) await this.#happen()
		}
		await this.#calmDown()
		await world.settle()
		await this.#audit.finish()
	}

	async #happen(): Promise<void> {
		const { world, source } = this
		const { random } = world
		const what = random.weighted({
			...{ commit: 60, idle: 6, upkeep: 20, crash: 6, hang: 6, stop: 3, restart: 2, look: 1 },
		})
		if (what === 'commit') source.commit()
		else if (what === 'idle') source.idle()
		else if (what === 'upkeep') this.#keepVault()
		else if (what === 'crash') this.#crash()
		else if (what === 'hang') world.hang(random.pick(this.#captures).process, 3_000 + random.below(30_000))
		else if (what === 'stop') random.pick(this.#captures).stop()
		else if (what === 'restart') source.restart()
		else await this.#audit.look()
	}

	#crash(): void {
		const victim = this.world.random.pick([...this.#captures, ...this.#upkeeps])
		this.world.crash(victim.process)
		victim.hasEnded = true
	}

	#keepRunning(): void {
		this.#captures = this.#captures.filter(({ hasEnded }) => !hasEnded)
		while (this.#captures.length < this.#many) this.#captures.push(this.#capture())
	}

	#capture(): Running {
		const { world, source } = this
		const process = world.process(`capture ${++this.#started}`)
		const { promise: stopping, resolve: stop } = Promise.withResolvers<void>()
		const running = { process, stop, hasEnded: false }
		const parts = { world, process, source, control: this.#control, isLawless: this.#isLawless }
		void runCapture({ ...parts, vault: this.#vaultOf(process) }, stopping).then(() => {
			running.hasEnded = true
		})
		return running
	}

	/** A second round may begin beside the first, as when its lease ran out: of what both do, one comes to nothing. */
	#keepVault(): void {
		this.#upkeeps = this.#upkeeps.filter(({ hasEnded }) => !hasEnded)
		if (this.#upkeeps.length > 1) return
		const process = this.world.process(`upkeep ${++this.#started}`)
		const running = { process, stop: () => {}, hasEnded: false }
		this.#upkeeps.push(running)
		void keepVault({ world: this.world, vault: this.#vaultOf(process) }).then(() => {
			running.hasEnded = true
		})
	}

	#vaultOf(process: Process): Vault {
		const { world } = this
		const now = () => epochMs + world.now + process.skewMs
		return openVault({ store: this.#objects.storeFor(world, process), database: 'shop', now, newId: world.newId })
	}

	/** Nothing goes wrong any more: all that committed must arrive. */
	async #calmDown(): Promise<void> {
		const { world, source } = this
		world.isRough = false
		// Two captures that mind no lease would take the slot from each other for ever.
		if (this.#isLawless) this.#many = 1
		for (const one of this.#captures.splice(this.#many)) world.crash(one.process)
		source.commit()
		const final = source.transactions.findLast(({ receipt }) => receipt)
		for (let step = 0; step < calmSteps; step++) {
			this.#keepRunning()
			if (!final || this.#control.receipts.has(final.position)) return
			await world.step()
		}
		throw new Error(`after ${calmSteps} steps without trouble there is no receipt at ${final?.position}`)
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
async function beginLineage(objects: Objects, source: Source): Promise<void> {
	const vault = openVault({ store: objects.untroubled(), database: 'shop', now: () => 0 })
	const of = { systemIdentifier: '7', databaseOid: 5, slot: 's', timeline: 1, openedAt: '2026-01-01T00:00:00Z' }
	await vault.putLineage({ id: lineageId, ...of, nonces: [] })
	await vault.putKey({ id: signer.keyId, publicKey: signer.publicKey, validFrom: '2020-01-01T00:00:00Z' })
	await vault.transactions.append({ source: lineageId, position: source.confirmed, transactions: [] })
}
