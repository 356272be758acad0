import { join } from 'node:path'
import { databaseUrl, loadSample } from '../sample/load.ts'
import { fullSize } from '../sample/seed.ts'
import { findBinaries } from './binaries.ts'
import { type Cluster, launchPostgres } from './launch.ts'
import { placeCluster } from './place.ts'

/** The embedded cluster with the sample database `shop`. */
export type Embedded = Cluster & {
	/** Superuser's address of the sample database. */
	databaseUrl: string
}

const database = 'shop'

/** Starts the cluster of a data folder, making it and its sample database on the first start; `meanwhile` is called while initdb works. */
export async function startEmbedded(
	folder: string,
	{ say, meanwhile }: { say: (line: string) => void; meanwhile: () => void },
): Promise<Embedded> {
	const place = await placeCluster(folder)
	const cluster = await launchPostgres({ binaries: await findBinaries(), data: join(place, 'data'), meanwhile })
	say(`PostgreSQL runs on port ${cluster.port}, its data in ${place}`)
	try {
		const made = await loadSample(cluster.url, database, fullSize(new Date().toISOString().slice(0, 10)))
		if (made) say(`made the sample database "${database}"`)
	} catch (error) {
		await cluster.stop()
		throw error
	}
	return { ...cluster, databaseUrl: databaseUrl(cluster.url, database) }
}
