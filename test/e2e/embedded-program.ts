import { join } from 'node:path'
import { findBinaries, holdFolder, launchPostgres, placeCluster } from '@reprieve/standalone/embedded'

/** Starts a cluster in the folder of the first argument, prints its address and ends with SIGTERM. */
try {
	await using folder = await holdFolder(process.argv[2] as string)
	const place = await placeCluster(folder.path)
	const cluster = await launchPostgres({ binaries: await findBinaries(), data: join(place, 'data'), noSync: true })
	process.stdout.write(`${JSON.stringify({ url: cluster.url, pid: cluster.pid })}\n`)
	await new Promise((resolve) => process.once('SIGTERM', resolve))
	await cluster.stop()
} catch (error) {
	process.stderr.write(`${(error as { code?: string }).code}: ${(error as Error).message}\n`)
	process.exitCode = 1
}
