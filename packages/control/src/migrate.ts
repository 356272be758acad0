import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ReprieveError } from '@reprieve/contracts'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { type ControlOptions, controlSettings, controlSetup } from './client.ts'

/** Any constant: one migrating process at a time per database. */
const lockKey = 7_236_514_201
const folder = fileURLToPath(new URL('../migrations', import.meta.url))

/**
 * Brings the control schema of the database up to this release; safe to call from several processes at once.
 * Throws CONFLICT when a newer release has migrated it beyond what this one knows.
 */
export async function migrateControl(url: string, watch?: ControlOptions['watch']): Promise<void> {
	const { search_path: _, ...settings } = controlSettings
	const connection = { ...settings, application_name: 'reprieve migrate' } as object
	const sql = postgres(url, { max: 1, onnotice: () => {}, setup: controlSetup, connection, onconnected: watch })
	try {
		await sql`select pg_advisory_lock(${lockKey})`
		await refuseNewerSchema(sql)
		await applyMigrations(drizzle(sql), {
			migrationsFolder: folder,
			migrationsSchema: 'reprieve',
			migrationsTable: 'migrations',
		})
	} finally {
		await sql.end({ timeout: 5 })
	}
}

async function refuseNewerSchema(sql: postgres.Sql): Promise<void> {
	const [exists] = await sql`select from pg_catalog.pg_class where oid = pg_catalog.to_regclass('reprieve.migrations')`
	if (!exists) return
	const [newest] = await sql<{ at: string | null }[]>`select max(created_at)::text as at from reprieve.migrations`
	const journal = JSON.parse(readFileSync(`${folder}/meta/_journal.json`, 'utf8')) as { entries: { when: number }[] }
	const known = Math.max(...journal.entries.map((entry) => entry.when))
	if (newest?.at && Number(newest.at) > known) {
		throw new ReprieveError(
			'CONFLICT',
			`the control schema is of migration ${newest.at}, this release knows ${known}`,
			{
				hint: 'A newer release has migrated this database: start that release, or a newer one.',
			},
		)
	}
}
