import { ReprieveError } from '@reprieve/contracts'
import {
	Archive,
	Assembler,
	acknowledgeOnceOpen,
	type ChangeSink,
	fence,
	judgeLineage,
	KeyRing,
	knownTransactions,
	makeFrameHandler,
	NonceChain,
	openBuffer,
	takeLease,
} from '@reprieve/sidecar/steps'
import type { Branch, Vault, VaultLineage } from '@reprieve/vault'
import { pino } from 'pino'
import type { ControlRecord } from './control.ts'
import { MappedRelations } from './mapped.ts'
import type { Source, SourceStream } from './source.ts'
import { lineageId } from './transaction.ts'
import type { Process, World } from './world.ts'

export const silent = pino({ level: 'silent' })

/** Milliseconds of simulated time, and bytes. */
export const config = {
	lingerMs: 200,
	bufferBytes: 3_000,
	acknowledgeMs: 1_000,
	keepaliveMs: 2_000,
	keepaliveBytes: 100,
	leaseMs: 9_000,
}

export type CaptureParts = {
	world: World
	process: Process
	source: Source
	control: ControlRecord
	vault: Vault
	/** Goes on writing whoever holds the lease: what it writes must do no harm. */
	isLawless: boolean
}

/** What ends a life in good order, as SIGTERM does. */
export type Stopping = Promise<unknown>

/** Lives one life after the other until it is told to stop, or until something happens that must not. */
export async function liveOn(
	{ world, process }: Pick<CaptureParts, 'world' | 'process'>,
	live: () => Promise<void>,
	stopping: Stopping,
): Promise<void> {
	const clock = world.clockOf(process)
	let isStopped = false
	void stopping.then(() => {
		isStopped = true
	})
	while (!isStopped) {
		try {
			await live()
		} catch (error) {
			if (!isTransient(error)) return world.fail(error)
			world.note(`${process.name} starts anew: ${(error as Error).message}`)
			await new Promise<void>((resolve) => clock.after(500, resolve))
		}
	}
}

/** Errors after which a process tries again, and which a rival or trouble with a port explains. */
export function isTransient(error: unknown): boolean {
	if (error instanceof ReprieveError)
		return error.constructor === ReprieveError && ['VAULT_UNAVAILABLE', 'UNAVAILABLE', 'CONFLICT'].includes(error.code)
	return error instanceof Error && error.message.endsWith('exists, yet cannot be read')
}

export type Opened = {
	lineage: VaultLineage
	branch: Branch
	archived: bigint
	confirmed: bigint
	nonce: string | null
}

/** Capture straight into the vault. */
export async function archiveLife(parts: CaptureParts, stopping: Stopping): Promise<void> {
	await underLease(parts, async (lease, opened) => {
		const { world, process, control, vault } = parts
		const [clock, port] = [world.clockOf(process), control.portFor(process)]
		const { branch, archived, confirmed } = opened
		const relations = new MappedRelations({
			tableOf: (name) => vault.table(name),
			openBuffer: (label, table) => openBuffer(label, table, { branch, from: confirmed }),
		})
		await streamInto(parts, opened, {
			relations,
			openSink: (acknowledge, onFailure) =>
				new Archive({
					...{ config, clock, record: port.record, vault, branch, archived },
					...{ buffers: relations.buffers, lease, log: silent, acknowledge, onFailure },
					nonces: new NonceChain(port.recordNonce, vault, opened),
				}),
			until: stopping,
		})
	})
}

export type Lease = Awaited<ReturnType<typeof takeLease>>

/** Takes the lease and says where capture goes on, as `openLineage` does. */
export async function underLease(
	parts: CaptureParts,
	work: (lease: Lease, opened: Opened) => Promise<void>,
): Promise<void> {
	const { world, process, vault, isLawless } = parts
	const options = { vault, lineage: lineageId, owner: process.name, ttlMs: config.leaseMs }
	const signal = new AbortController().signal
	const lease = isLawless ? lawless : await takeLease({ ...options, clock: world.clockOf(process), signal })
	try {
		const { nonce } = await parts.control.portFor(process).readNonces()
		await fence(vault)
		await work(lease, { ...(await openLineage(parts)), nonce })
	} finally {
		await lease.release()
	}
}

const lawless: Lease = { check: async () => {}, checkTaken: () => {}, isHeld: () => true, release: async () => {} }

/** What speaks against the database is believed when its nonce stood still meanwhile. */
async function openLineage(parts: CaptureParts, before?: { nonce: string | null }): Promise<Omit<Opened, 'nonce'>> {
	const { world, process, source, control, vault } = parts
	const open = (await vault.lineages()).at(-1) as VaultLineage
	const confirmed = await world.call(process, 'read the slot', () => source.confirmed)
	const archived = await vault.transactions.archived(lineageId)
	const nonces = await control.portFor(process).readNonces()
	const { systemIdentifier, databaseOid, timeline } = open
	const verdict = judgeLineage({
		identity: { systemIdentifier, databaseOid, timeline, database: 'shop' },
		control: { id: lineageId, systemIdentifier, databaseOid, timeline, ...nonces },
		slot: {
			name: 's',
			plugin: 'pgoutput',
			confirmed,
			walStatus: 'reserved',
			activePid: null,
			temporary: false,
			failover: false,
			synced: false,
		},
		...{ vault: open, archived, isOnItsWay: open.channel?.kind === 'frames' },
	})
	const branch = await vault.transactions.branch(open)
	if (verdict.kind === 'continue' && !verdict.gap)
		return { lineage: open, branch, archived: verdict.archived, confirmed }
	if (verdict.kind === 'stop' && before?.nonce !== nonces.nonce) return await openLineage(parts, nonces)
	throw new Error(
		`capture would not go on: ${verdict.kind === 'stop' ? verdict.message : 'the slot stands beyond the vault'}`,
	)
}

type Target = {
	relations: ConstructorParameters<typeof Assembler>[0]['relations']
	openSink: (acknowledge: (position: bigint) => void, onFailure: (error: unknown) => void) => ChangeSink
	until: Stopping
}

/** Streams the log into a sink, put together as `streamInto` does it over a server. */
export async function streamInto(parts: CaptureParts, opened: Opened, target: Target): Promise<void> {
	const { process, source, vault } = parts
	const keys = new KeyRing(vault)
	await keys.refresh()
	const { lineage, branch, archived } = opened
	const checkRedelivery = await knownTransactions(vault, { ...opened, slot: 's' })
	const { promise: failed, reject: fail } = Promise.withResolvers<never>()
	failed.catch(() => {})
	const acknowledging = acknowledgeOnceOpen()
	const sink = target.openSink(acknowledging.acknowledge, fail)
	const assembler = new Assembler({
		...{ relations: target.relations, branch, archived, relief: () => sink.relief() },
		messages: { lineage: lineage.id, keys, log: silent, overwritten: async () => {} },
		onCommit(transaction) {
			checkRedelivery(transaction)
			sink.add(transaction)
		},
	})
	const signal = new AbortController().signal
	const onFrame = makeFrameHandler({ sink, assembler, reliefBytes: config.bufferBytes / 8, signal })
	let stream: SourceStream | undefined
	try {
		stream = await source.open(process, onFrame)
		acknowledging.opened(stream)
		await Promise.race([stream.ended, failed, target.until])
		await sink.drain()
	} finally {
		await sink.stop()
		stream?.close()
	}
}
