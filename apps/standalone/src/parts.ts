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

type Ground = {
	config: Config
	databaseUrl: string
	folder: string
	endings: (() => Promise<unknown>)[]
	say(line: string): void
}

/** Starts service and sidecar on a database; what was begun goes to `endings`. */
export async function startParts({ config, databaseUrl, folder, endings, say }: Ground) {
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
