import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Client, createClient } from '@reprieve/client'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { launch, type Started } from '../../e2e/launcher.ts'
import { freshDatabase, startCluster, type TestDatabase } from '../../support/postgres.ts'
import { type Edit, editAt, type Place } from './point.ts'
import { shortened } from './settings.ts'
import { fillCrashShop } from './shop.ts'

const hook = new URL('./hook.ts', import.meta.url).href
const adminKey = 'the-admin-key-of-a-crash-0123456789'

const programs = {
	service: [mainOf('service')],
	sidecar: [mainOf('sidecar'), 'capture'],
	capture: [mainOf('sidecar'), 'capture', '--sink', 'kafka'],
	archive: [mainOf('sidecar'), 'archive'],
} as const

/** A program of the product, as an operator starts it. */
export type Program = keyof typeof programs

/** A place, what else must be changed in the process for it to come there, and what the next one says of it. */
export type Point = Place & { edits?: Edit[]; told?: string }

/** What is changed in a process: always, and in its first, second ... life. */
export type Part = { edits?: Edit[]; places?: readonly Point[]; env?: Record<string, string> }

/** A process that is started again, with the next of its places, whenever it is killed. */
export type Kept = {
	program: Program
	now: Started
	/** What all its processes printed. */
	output(): string
	/** How often it was killed. */
	kills: number
	/** Names of the places that it came to. */
	hits(): string[]
	/** How it ended when nobody killed it. */
	ended?: number | string
}

/** Service and sidecar as processes of their own over one database; one of them dies at the point. */
export type CrashWorld = AsyncDisposable & {
	database: TestDatabase
	vault: Vault
	client: Client
	service: Kept
	sidecar: Kept
	/** Where changes go through Kafka. */
	archive?: Kept
	/** Every process that was started. */
	all(): Kept[]
	/** Starts one more process of a program. */
	start(program: Program, part?: Part): Promise<Kept>
	/** Waits until everything committed before the call is restorable, and every batch knows it. */
	barrier(): Promise<void>
}

/** A cluster with room for many worlds at once. */
export function crashCluster(): ReturnType<typeof startCluster> {
	return startCluster(18, { max_connections: '600' })
}

export type WorldOptions = {
	/** Sets the database up before anything is started. */
	prepare?: (database: TestDatabase) => Promise<void>
	/** Changes go through Kafka: capture sends them there, and one more process archives them. */
	brokers?: string[]
	/** The address at which the processes see the database, when it is not its own. */
	address?: (url: string) => string
}

/** Opens a world over a filled database of a cluster with room for it ({@link crashCluster}). */
export async function startCrashWorld(
	cluster: { url: string },
	parts: Partial<Record<Program, Part>> = {},
	{ prepare, brokers, address }: WorldOptions = {},
): Promise<CrashWorld> {
	await using stack = new AsyncDisposableStack()
	const database = stack.use(await freshDatabase(cluster))
	await fillCrashShop(database.sql)
	await prepare?.(database)
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-crash-'))
	stack.defer(() => rm(folder, { recursive: true, force: true }))
	const vaultUrl = pathToFileURL(join(folder, 'vault')).href
	const env = {
		...{
			DATABASE_URL: address?.(database.url) ?? database.url,
			REPRIEVE_DATA: folder,
			REPRIEVE_VAULT: vaultUrl,
			REPRIEVE_ADMIN_KEY: adminKey,
		},
		...{ REPRIEVE_PORT: '0', REPRIEVE_RATE_LIMIT: '1000000', REPRIEVE_LOG_LEVEL: 'info' },
		...(brokers && { KAFKA_BROKERS: brokers.join(','), REPRIEVE_KAFKA_PARTITIONS: '2' }),
		...(brokers && { REPRIEVE_KAFKA_PREFIX: `crash.${database.name}` }),
	}
	const supervisor = stack.use(openSupervisor(folder, env))
	const vault = openVaultAt(vaultUrl, database.name)
	stack.defer(() => vault.close())
	const service = await supervisor.start('service', parts.service)
	const capture = brokers ? 'capture' : 'sidecar'
	const sidecar = await supervisor.start(capture, parts[capture])
	const archive = brokers && (await supervisor.start('archive', parts.archive))
	const client = clientOf(service)
	const owned = stack.move()
	return {
		...{ database, vault, client, service, sidecar, archive, start: supervisor.start, all: supervisor.all },
		barrier: async () => void (await client.archive.barrier({ timeoutMs: 60_000 })),
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

function mainOf(app: string): string {
	return fileURLToPath(new URL(`../../../apps/${app}/src/main.ts`, import.meta.url))
}

/** Follows the service to the address of its newest process; repeats what it did not answer under the same key. */
function clientOf(service: Kept): Client {
	const addressed: typeof fetch = (input, init) => {
		const { pathname, search } = new URL(String(input))
		return fetch(`${urlOf(service)}${pathname}${search}`, init)
	}
	return createClient({ url: 'http://service', apiKey: adminKey, fetch: addressed, retries: 40, timeoutMs: 30_000 })
}

/** Throws as a connection does while there is none. */
function urlOf(service: Kept): string {
	const url = service.now.output().match(/"url":"(http:[^"]+)"/)?.[1]
	if (!url) throw new TypeError('fetch failed: the service is not up yet')
	return url
}

/** Starts processes and, when one is killed, the same again: what a service manager does. */
function openSupervisor(folder: string, env: Record<string, string>) {
	const all = new Set<Kept>()
	let isOver = false
	const run = async (program: Program, { edits = [], places = [], env: own = {} }: Part, life: number) => {
		const place = places[life]
		const point = place ? [...(place.edits ?? []), editAt(place)] : []
		const path = join(folder, `preload-${crypto.randomUUID()}`)
		await writeFile(path, JSON.stringify([...shortened, ...edits, ...point]))
		return launch(['--import', hook, ...programs[program]], { ...env, ...own, CRASH_PRELOAD: path })
	}
	const keep = async (kept: Kept, part: Part) => {
		for (;;) {
			const end = await kept.now.ended
			if (isOver) return
			if (end !== 'SIGKILL') {
				kept.ended = end
				return
			}
			kept.kills++
			const before = kept.output()
			const now = await run(kept.program, part, kept.kills)
			kept.now = now
			if (isOver) now.child.kill('SIGKILL')
			kept.output = () => before + now.output()
		}
	}
	return {
		async start(program: Program, part: Part = {}): Promise<Kept> {
			const now = await run(program, part, 0)
			const hits = () => [...kept.output().matchAll(/^crash point: (.*)$/gm)].map((match) => match[1] ?? '')
			const kept: Kept = { program, now, output: () => now.output(), kills: 0, hits }
			all.add(kept)
			void keep(kept, part)
			return kept
		},
		all: () => [...all],
		async [Symbol.asyncDispose]() {
			isOver = true
			for (const { now } of all) now.child.kill('SIGKILL')
			await Promise.all([...all].map(({ now }) => now.ended))
		},
	}
}

/** Milliseconds that work over a world may take: less than its test, which could not say any more what hung. */
const workMs = 540_000

/** Does some work; shows what the processes said when it fails, or takes too long. */
export async function telling(world: CrashWorld, work: () => Promise<void>): Promise<void> {
	const ended = new AbortController()
	try {
		const tooLong = setTimeout(workMs, undefined, { signal: ended.signal, ref: false }).then(() => {
			throw new Error(`the work was not done after ${workMs} ms`)
		})
		await Promise.race([work(), tooLong])
	} catch (error) {
		const said = world.all().map(({ program, output }) => `${program}: ${output().slice(-8_000)}`)
		throw new Error(`${(error as Error).message}\nthe processes said:\n${said.join('\n--\n')}`, { cause: error })
	} finally {
		ended.abort()
	}
}
