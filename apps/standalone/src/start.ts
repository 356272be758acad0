import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { ReprieveError } from '@reprieve/contracts'
import { type Config as ServiceConfig, startService } from '@reprieve/service'
import { adopt, parseConfig, type Sidecar, startSidecar } from '@reprieve/sidecar'
import { openVaultAt } from '@reprieve/vault'
import { pino } from 'pino'
import postgres from 'postgres'
import type { Config } from './config.ts'
import { isFree } from './embedded/port.ts'
import { type Embedded, startEmbedded } from './embedded/shop.ts'
import { holdFolder } from './folder.ts'
import { protectSample } from './sample/protect.ts'

/** Everything in one process: PostgreSQL (unless it is somebody's own), service and sidecar. */
export type Standalone = {
	url: string
	/** The first admin key. */
	adminKey: string
	adminKeyFile: string
	/** The database served. */
	databaseUrl: string
	/** The embedded cluster, when there is one. */
	embedded?: Embedded
	/** Where service and sidecar log to. */
	logFile: string
	/** Rejects when capture stopped for a reason that only an operator can resolve. */
	captureEnded: Promise<void>
	/** Ends everything in order; the data stays. */
	stop(): Promise<void>
}

/** Starts everything; `say` gets a line for each step. What was begun is ended when a later step fails. */
export async function startStandalone(config: Config, say: (line: string) => void): Promise<Standalone> {
	const endings: (() => Promise<unknown>)[] = []
	const stop = async () => {
		for (let end = endings.pop(); end; end = endings.pop()) await end()
	}
	try {
		const folder = await holdFolder(config.data)
		endings.push(async () => folder[Symbol.asyncDispose]())
		const embedded = config.databaseUrl ? undefined : await startEmbedded(folder.path, say)
		if (embedded) endings.push(() => embedded.stop())
		const databaseUrl = config.databaseUrl ?? (embedded as Embedded).databaseUrl
		const parts = await startParts({ config, databaseUrl, folder: folder.path, endings, say })
		const standalone = { ...parts, databaseUrl, embedded, stop }
		if (embedded) await protectSample(embedded, standalone, say)
		return standalone
	} catch (error) {
		await stop()
		throw error
	}
}

type Ground = {
	config: Config
	databaseUrl: string
	folder: string
	endings: (() => Promise<unknown>)[]
	say(line: string): void
}

async function startParts({ config, databaseUrl, folder, endings, say }: Ground) {
	const service = config.service(databaseUrl)
	await requireFreePort(service)
	const logFile = join(folder, 'reprieve.log')
	const log = pino({ level: service.logLevel, redact: ['*.secret', '*.authorization'] }, pino.destination(logFile))
	const vault = openVaultAt(service.vault, await databaseName(databaseUrl), { segmentKeys: service.vaultKey })
	endings.push(() => vault.close())
	const running = await startService(service, { vault, log })
	let sidecar: Sidecar | undefined
	endings.push(async () => sidecar?.stop())
	endings.push(() => running.stop())
	const capture = parseConfig({ databaseUrl: config.captureUrl ?? databaseUrl, ownerUrl: service.urls.owner })
	if (config.adopt) {
		const { lineage, gap } = await adopt(capture, { vault, principal: userInfo().username })
		say(`adopted as lineage ${lineage}; not archived: ${gap}`)
	}
	sidecar = startSidecar(capture, { vault, log })
	const adminKeyFile = join(folder, 'admin-key')
	const adminKey = service.adminKey ?? (await readFile(adminKeyFile, 'utf8').catch(() => '')).trim()
	return { url: running.url, adminKey, adminKeyFile, logFile, captureEnded: sidecar.ended }
}

async function requireFreePort({ port }: ServiceConfig): Promise<void> {
	if (port === 0 || (await isFree(port))) return
	throw new ReprieveError('UNAVAILABLE', `port ${port} is in use`, {
		hint: 'Stop what listens there, or set REPRIEVE_PORT to another port.',
	})
}

async function databaseName(url: string): Promise<string> {
	const sql = postgres(url, { max: 1, onnotice: () => {} })
	try {
		const [row] = await sql<{ name: string }[]>`select current_database() as name`
		return row?.name ?? ''
	} finally {
		await sql.end({ timeout: 5 })
	}
}
