import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ChangeRows, TableName } from '@reprieve/contracts'
import { migrateControl } from '@reprieve/control'
import { parseConfig, type Sidecar, type SidecarConfig, type SidecarParts, startSidecar } from '@reprieve/sidecar'
import { openVaultAt, type ReadQuery, type Vault } from '@reprieve/vault'
import { pino } from 'pino'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'

/** A migrated database with a vault in a folder of its own, and a capture that can be started and stopped. */
export type CaptureGround = AsyncDisposable &
	TestDatabase & {
		vault: Vault
		vaultUrl: string
		start(config?: Partial<SidecarConfig>, parts?: Partial<SidecarParts>): Promise<Sidecar>
		/** Waits until everything committed before the call is in the vault. */
		barrier(withinMs?: number): Promise<void>
	}

export async function captureGround(cluster?: { url: string }): Promise<CaptureGround> {
	return await captureGroundOf(await freshDatabase(cluster))
}

/** The same over a database that is disposed of with it. */
export async function captureGroundOf(database: TestDatabase): Promise<CaptureGround> {
	await migrateControl(database.url)
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-vault-'))
	const vaultUrl = pathToFileURL(folder).href
	const vault = openVaultAt(vaultUrl, database.name)
	const running = new Set<Sidecar>()
	return {
		...database,
		vault,
		vaultUrl,
		async start(config, parts) {
			const { promise: streaming, resolve } = Promise.withResolvers<void>()
			const sidecar = startSidecar(
				parseConfig({ databaseUrl: database.url, upkeepMs: 0, protectMs: 0, acknowledgeMs: 0, ...config }),
				{
					vault,
					log: pino({ level: process.env.CAPTURE_LOG ?? 'silent' }),
					...parts,
					onState(state) {
						parts?.onState?.(state)
						if (state === 'streaming') resolve()
					},
				},
			)
			running.add(sidecar)
			await Promise.race([streaming, sidecar.ended.catch(() => {})])
			return sidecar
		},
		barrier: (withinMs) => barrier(database, withinMs),
		async [Symbol.asyncDispose]() {
			await Promise.all([...running].map((sidecar) => sidecar.stop()))
			await database[Symbol.asyncDispose]()
			await rm(folder, { recursive: true, force: true })
		},
	}
}

async function barrier({ sql }: TestDatabase, withinMs?: number): Promise<void> {
	const nonce = crypto.randomUUID()
	await sql`select pg_logical_emit_message(true, 'reprieve.barrier', ${nonce})`
	await until(
		async () => (await sql`select 1 from reprieve.barriers where nonce = ${nonce}`).length,
		`barrier ${nonce}`,
		withinMs,
	)
}

/** Publishes the deletes of ordinary tables, as protection does. */
export async function publish({ sql }: TestDatabase, ...tables: string[]): Promise<void> {
	for (const table of tables) {
		await sql.unsafe(`alter table ${table} replica identity full`)
		await sql.unsafe(`alter publication reprieve add table ${table}`)
	}
}

/** Archived rows of a table in order, each an object of its columns' texts. */
export async function archivedRows(vault: Vault, name: string, query: ReadQuery = {}): Promise<ArchivedRow[]> {
	const table: TableName = { schema: 'public', name }
	const rows: ArchivedRow[] = []
	for await (const chunk of vault.table(table).read(query)) rows.push(...rowsOf(chunk))
	return rows
}

export type ArchivedRow = {
	op: string
	ordinal: number
	xid: number
	leaf: string | null
	rewritten: Record<string, string | null> | null
	values: Record<string, string | null>
}

function rowsOf(chunk: ChangeRows): ArchivedRow[] {
	return Array.from({ length: chunk.count }, (_, row) => ({
		op: ['delete', 'relink', 'move', 'overwrite'][chunk.op[row] as number] as string,
		ordinal: chunk.ordinal[row] as number,
		xid: chunk.xid[row] as number,
		leaf: chunk.leaf[row] ?? null,
		rewritten: chunk.rewritten[row] ?? null,
		values: Object.fromEntries(
			chunk.table.columns.map(({ name }, place) => {
				const { bytes, offsets, present } = chunk.columns[place] as ChangeRows['columns'][number]
				const text = Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString()
				return [name, present[row] === 1 ? text : null]
			}),
		),
	}))
}
