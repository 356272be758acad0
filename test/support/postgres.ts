import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSessions, type Sql } from '@reprieve/postgres'
import { type Cluster, launchPostgres } from '@reprieve/standalone/embedded'
import postgres from 'postgres'
import { inject } from 'vitest'

export const postgresVersions = [15, 16, 17, 18] as const
export type PostgresVersion = (typeof postgresVersions)[number]

const packages: Record<PostgresVersion, () => Promise<{ initdb: string; postgres: string; pg_ctl: string }>> = {
	15: () => import('pg15'),
	16: () => import('pg16'),
	17: () => import('pg17'),
	18: () => import('pg18'),
}

/** Server programs of one version. */
export function postgresBinaries(version: PostgresVersion): ReturnType<(typeof packages)[PostgresVersion]> {
	return packages[version]()
}

/** A throw-away cluster of one version; fsync is off. */
export async function startCluster(
	version: PostgresVersion,
	settings: Record<string, string> = {},
): Promise<Cluster & AsyncDisposable> {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-pg-'))
	await chmod(folder, 0o755)
	const cluster = await launchPostgres({
		binaries: await postgresBinaries(version),
		data: join(folder, 'data'),
		noSync: true,
		settings: {
			fsync: 'off',
			max_connections: '200',
			max_prepared_transactions: '10',
			max_replication_slots: '60',
			max_wal_senders: '60',
			shared_buffers: '64MB',
			...settings,
		},
	})
	const stop = async () => {
		await cluster.stop()
		await rm(folder, { recursive: true, force: true })
	}
	return { ...cluster, stop, [Symbol.asyncDispose]: stop }
}

export type TestDatabase = AsyncDisposable & { url: string; name: string; sql: Sql }

/** As {@link freshDatabase}, with another encoding than the sessions'. */
export function freshLatin1Database(cluster?: { url: string }): Promise<TestDatabase> {
	return freshDatabase(cluster, "encoding 'LATIN1' template template0 locale 'C'")
}

/** A fresh database in the suite's shared PostgreSQL 18 (or in `cluster`), dropped with its slots on disposal. */
export async function freshDatabase(cluster?: { url: string }, options = ''): Promise<TestDatabase> {
	const adminUrl = cluster?.url ?? inject('postgresUrl')
	const name = `t_${randomBytes(6).toString('hex')}`
	const admin = postgres(adminUrl, { max: 1, onnotice: () => {} })
	await admin.unsafe(`create database ${name} ${options}`)
	const url = adminUrl.replace(/\/[^/]*$/, `/${name}`)
	const sql = openSessions(url, { applicationName: 'test' })
	return {
		url,
		name,
		sql,
		async [Symbol.asyncDispose]() {
			await sql.end({ timeout: 5 })
			await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`
			await dropSlots(admin, name)
			await admin`drop database ${admin(name)} with (force)`
			await admin.end({ timeout: 5 })
		},
	}
}

async function dropSlots(admin: postgres.Sql, database: string): Promise<void> {
	for (;;) {
		const slots = await admin<{ name: string; pid: number | null }[]>`
			select slot_name as name, active_pid as pid from pg_replication_slots where database = ${database}`
		if (slots.length === 0) return
		for (const slot of slots) {
			if (slot.pid === null) await admin`select pg_drop_replication_slot(${slot.name})`.catch(() => {})
			else await admin`select pg_terminate_backend(${slot.pid})`
		}
	}
}
