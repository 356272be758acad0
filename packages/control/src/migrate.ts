import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'

/** Any constant: one migrating process at a time per database. */
const lockKey = 7_236_514_201

/** Brings the control schema of the database up to this release; safe to call from several processes at once. */
export async function migrateControl(url: string): Promise<void> {
	const sql = postgres(url, { max: 1, onnotice: () => {}, connection: { application_name: 'reprieve migrate' } })
	try {
		await sql`select pg_advisory_lock(${lockKey})`
		await applyMigrations(drizzle(sql), {
			migrationsFolder: fileURLToPath(new URL('../migrations', import.meta.url)),
			migrationsSchema: 'reprieve',
			migrationsTable: 'migrations',
		})
	} finally {
		await sql.end({ timeout: 5 })
	}
}
