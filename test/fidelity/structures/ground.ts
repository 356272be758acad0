import type { Client } from '@reprieve/client'
import type { Sql } from '@reprieve/postgres'
import { freshDatabase, type PostgresVersion, startCluster } from '../../support/postgres.ts'
import { startReprieve } from '../../support/reprieve.ts'

/** A database of one version with everything that runs over it. */
export type Ground = AsyncDisposable & { version: PostgresVersion; url: string; sql: Sql; client: Client }

export async function openGround(version: PostgresVersion): Promise<Ground> {
	await using opening = new AsyncDisposableStack()
	// The suite's shared server is an 18.
	const cluster = version === 18 ? undefined : opening.use(await startCluster(version))
	const database = opening.use(await freshDatabase(cluster))
	await database.sql`create schema kept`
	const { client } = opening.use(await startReprieve(database))
	const opened = opening.move()
	return {
		...{ version, url: database.url, sql: database.sql, client },
		[Symbol.asyncDispose]: () => opened.disposeAsync(),
	}
}
