import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileStore, openVault, type Vault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { fence } from './open.ts'

const lineage = {
	...{ id: 'a', systemIdentifier: '7', databaseOid: 5, slot: 's', timeline: 1, openedAt: '2026-01-01' },
	nonces: [{ nonce: 'n0', position: '0/1' }],
}

async function freshVault() {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-fence-'))
	const vault = openVault({ store: fileStore(folder), database: 'shop' })
	return { vault, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

test('what a former holder has under way cannot replace a lineage that was fenced', async () => {
	await using ground = await freshVault()
	const { vault } = ground
	const held = await vault.putLineage(lineage)
	await fence(vault)
	const late = vault.putLineage({ ...held, nonces: [...held.nonces, { nonce: 'late', position: '0/2' }] })
	await expect(late).rejects.toMatchObject({ code: 'CONFLICT' })
	expect((await vault.lineages())[0]?.nonces).toEqual(lineage.nonces)
})

test('a fence that an acknowledgement of the former holder overtakes is put behind it', async () => {
	await using ground = await freshVault()
	const { vault } = ground
	let held = await vault.putLineage(lineage)
	const nonces = [...held.nonces, { nonce: 'n1', position: '0/2' }]
	const overtaken: Pick<Vault, 'lineages' | 'putLineage'> = {
		lineages: () => vault.lineages(),
		async putLineage(open) {
			if (open.nonces.length === 1) held = await vault.putLineage({ ...held, nonces })
			return await vault.putLineage(open)
		},
	}
	await fence(overtaken)
	expect((await vault.lineages())[0]?.nonces).toEqual(nonces)
	await expect(vault.putLineage({ ...held, timeline: 2 })).rejects.toMatchObject({ code: 'CONFLICT' })
})
