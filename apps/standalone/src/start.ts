import type { Config } from './config.ts'
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
		const embedded = config.databaseUrl ? undefined : await startEmbedded(folder.path, { say, meanwhile: loadParts })
		if (embedded) endings.push(() => embedded.stop())
		const databaseUrl = config.databaseUrl ?? (embedded as Embedded).databaseUrl
		const { startParts } = await loadParts()
		const parts = await startParts({ config, databaseUrl, folder: folder.path, endings, say })
		const standalone = { ...parts, databaseUrl, embedded, stop }
		if (embedded) await protectSample(embedded, standalone, say)
		return standalone
	} catch (error) {
		await stop()
		throw error
	}
}

/** Service and sidecar take as long to load as initdb to work. Who asks first is answered later: an error is told then. */
function loadParts(): Promise<typeof import('./parts.ts')> {
	const loading = import('./parts.ts')
	loading.catch(() => {})
	return loading
}
