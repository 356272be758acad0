import { expect, test } from 'vitest'
import { findChanges } from '../../apps/service/src/archive/changes.ts'
import { getRestore } from '../../apps/service/src/restores/get.ts'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { claimRestore } from '../../apps/service/src/restores/worker/claim.ts'
import { executeRestore } from '../../apps/service/src/restores/worker/execute.ts'
import { verifyVault } from '../../apps/service/src/system/verify.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { openScene, preview, type Scene, work } from './scene.ts'

const selection = { table: 't', where: { column: 'id', op: 'gt', value: 0 } } as const

/** A table of ten archived rows, of a lineage that capture has acknowledged, in a vault that does not know it yet. */
async function openUnknown(): Promise<Scene> {
	const scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 10)`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	return scene
}

async function acknowledge({ sql }: Scene): Promise<void> {
	await sql`update reprieve.lineages set nonce = 'n'`
}

/** What capture writes when it opens its lineage. */
async function makeKnown({ vault, services }: Scene): Promise<void> {
	const of = {
		systemIdentifier: '1',
		databaseOid: 1,
		slot: 'reprieve_1',
		timeline: 1,
		openedAt: '2026-01-01T00:00:00Z',
	}
	await vault.putLineage({ id: services.lineageId, ...of, nonces: [] })
}

const unavailable = { code: 'VAULT_UNAVAILABLE', message: expect.stringContaining('knows nothing of lineage') }

test('a vault that knows nothing of an acknowledged lineage answers nothing, instead of an empty archive', async () => {
	await using scene = await openUnknown()
	const { services } = scene
	expect((await preview(scene, { selection })).tables).toMatchObject([{ missing: 10 }])
	await acknowledge(scene)
	await expect(preview(scene, { selection })).rejects.toMatchObject(unavailable)
	await expect(findChanges(services, admin, { table: 't' })).rejects.toMatchObject(unavailable)
	await expect(verifyVault(services, admin, {})).rejects.toMatchObject(unavailable)
	await expect(verifyVault(services, admin, { table: 't' })).rejects.toMatchObject(unavailable)
	await makeKnown(scene)
	expect((await preview(scene, { selection })).tables).toMatchObject([{ missing: 10 }])
	expect((await findChanges(services, admin, { table: 't' })).items).toHaveLength(10)
	expect((await verifyVault(services, admin, {})).bad).toEqual([])
})

test('a restore waits while the vault of its service is not the one of its database', async () => {
	await using scene = await openUnknown()
	const { services } = scene
	const { hash } = await preview(scene, { selection })
	const { id } = await startRestore(services, admin, { selection, hash, reason: 'test' })
	await acknowledge(scene)
	const claimed = await claimRestore(services, 'one', 60_000)
	const asked = new AbortController()
	const working = executeRestore(services, claimed as NonNullable<typeof claimed>, asked.signal)
	const waiting = { reason: 'vaultUnavailable', reading: 1, limit: 0 }
	const read = () => getRestore(services, admin, { id })
	await until(async () => (await read()).waiting !== undefined, 'the restore to wait')
	expect(await read()).toMatchObject({ status: 'running', restored: 0, waiting })
	asked.abort()
	await working
	await makeKnown(scene)
	expect(await work(scene, id)).toMatchObject({ status: 'succeeded', restored: 10, verified: 10 })
})
