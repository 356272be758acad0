import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Preview, PreviewInput, Restore } from '@reprieve/contracts'
import { parseTableName, quoteIdentifier, quoteTable } from '@reprieve/contracts'
import type { Sql } from '@reprieve/postgres'
import { previewRestore } from '../../apps/service/src/restores/preview.ts'
import { readRestore, toRestore } from '../../apps/service/src/restores/read.ts'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { claimRestore } from '../../apps/service/src/restores/worker/claim.ts'
import { executeRestore } from '../../apps/service/src/restores/worker/execute.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { admin, type TestServices, testServices } from '../support/services.ts'
import { type FilledVault, filledVault } from './filled-vault.ts'

export type Scene = AsyncDisposable & { database: TestDatabase; sql: Sql; vault: FilledVault; services: TestServices }

/** A database with services over a vault that the test fills. */
export async function openScene(cluster?: { url: string }): Promise<Scene> {
	const database = await freshDatabase(cluster)
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-vault-'))
	const vault = filledVault(folder)
	const services = await testServices(database, { vault })
	vault.lineage = services.lineageId
	return {
		database,
		sql: database.sql,
		vault,
		services,
		async [Symbol.asyncDispose]() {
			await services[Symbol.asyncDispose]()
			await database[Symbol.asyncDispose]()
			await rm(folder, { recursive: true, force: true })
		},
	}
}

/** A preview that does not wait for a capture that is not there. */
export function preview(scene: Scene, input: PreviewInput): Promise<Preview> {
	return previewRestore(scene.services, admin, input, { barrierMs: 1 })
}

/** Previews, starts and works a restore to its end. */
export async function restore(scene: Scene, input: PreviewInput): Promise<Restore> {
	const { hash } = await preview(scene, input)
	const queued = await startRestore(scene.services, admin, { ...input, hash, reason: 'test' })
	return await work(scene, queued.id)
}

/** Works the one queued restore as a worker would. */
export async function work(scene: Scene, id: string): Promise<Restore> {
	const claimed = await claimRestore(scene.services, 'test', 30_000)
	if (claimed) await executeRestore(scene.services, claimed, new AbortController().signal)
	return toRestore(await readRestore(scene.services, id))
}

/** Keeps a copy of a table in schema `kept`, by which a restored one is judged. */
export async function keep(sql: Sql, table: string): Promise<void> {
	await sql`create schema if not exists kept`
	const name = parseTableName(table)
	await sql.unsafe(`create table kept.${quoteIdentifier(name.name)} as select * from ${quoteTable(name)}`)
}

/** Rows in which table and copy differ, as PostgreSQL compares images; empty when they are the same. */
export async function differences(sql: Sql, table: string, key: string[]): Promise<unknown[]> {
	const name = parseTableName(table)
	const join = key.map((column) => `a.${quoteIdentifier(column)} = b.${quoteIdentifier(column)}`).join(' and ')
	return await sql.unsafe(`select a::text as was, b::text as now from kept.${quoteIdentifier(name.name)} a
		full join ${quoteTable(name)} b on ${join} where not record_image_eq(a, b) or a is null or b is null`)
}

/**
 * Deletes all of `parent`, then of `child`, in one transaction of run r, as if the first deletion had rewritten the children's
 * references: the same values in each.
 */
export async function deleteRewritten({ sql, vault }: Scene, rewritten: Record<string, string | null>): Promise<void> {
	await sql.begin(async (tx) => {
		const parents = await vault.copy(tx, 'parent', 'true')
		const relinks = await vault.copy(tx, 'child', 'parent is not null')
		await tx`delete from public.parent`
		const children = await vault.copy(tx, 'child', 'true')
		await tx`delete from public.child`
		const changes = [...parents, ...relinks.map((row) => ({ ...row, op: 1, rewritten })), ...children]
		await vault.transaction(changes, { run: 'r' })
	})
}
