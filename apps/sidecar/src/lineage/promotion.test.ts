import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ArchivedTransaction } from '@reprieve/contracts'
import type { Control } from '@reprieve/control'
import { fileStore, openVault, type Vault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import type { ControlLineage } from './judge.ts'
import { followPromotion } from './promotion.ts'

const identity = { systemIdentifier: '7', databaseOid: 5, timeline: 2, database: 'shop' }
const control: ControlLineage = { ...identity, id: 'a', timeline: 1, nonce: 'n1', previousNonce: 'n0' }
const nonces = ['n0', 'n1', 'n2'].map((nonce) => ({ nonce, position: '0/1' }))
const lineage = {
	id: 'a',
	systemIdentifier: '7',
	databaseOid: 5,
	slot: 's',
	timeline: 1,
	openedAt: '2026-01-01',
	nonces,
}

/** Nothing is undone in these: nothing is told to the database. */
const untouched = {} as Control

function receipt(lsn: bigint): ArchivedTransaction {
	return { position: { timeline: 1, lsn }, end: lsn + 1n, xid: 9, committedAt: 0n, rows: {}, barriers: [] }
}

async function follow(vault: Vault): Promise<void> {
	const ended = [{ timeline: 1, end: 95n }]
	const known = (await vault.lineages()).find(({ id }) => id === lineage.id)
	await followPromotion(
		{ control: untouched, vault },
		{ kind: 'promote', lineage: { ...lineage, ...known }, ended, end: 95n, evidence: { identity, control } },
	)
}

async function freshVault(...others: string[]) {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-promotion-'))
	const vault = openVault({ store: fileStore(folder), database: 'shop' })
	for (const id of ['a', ...others]) await vault.putLineage({ ...lineage, id })
	return { vault, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

test('acknowledgements that the promoted database never heard of are let go of', async () => {
	await using ground = await freshVault()
	await follow(ground.vault)
	const [followed] = await ground.vault.lineages()
	expect(followed).toMatchObject({ timeline: 2, nonces: nonces.slice(0, 2) })
	expect(await ground.vault.transactions.branch({ id: 'a', timeline: 2 })).toEqual({
		...{ lineage: 'a', timeline: 2, ended: [{ timeline: 1, end: 95n }] },
	})
})

test('what another lineage recorded beyond the end is not undone', async () => {
	await using ground = await freshVault('b')
	await ground.vault.transactions.append({ source: 'b', position: 99n, transactions: [receipt(99n)] })
	await follow(ground.vault)
	const [of] = await Array.fromAsync(ground.vault.transactions.read({}))
	expect(of).not.toHaveProperty('isUndone')
})

test('records that do not name their lineage stop a vault that has several', async () => {
	await using ground = await freshVault('b')
	const { vault } = ground
	await vault.transactions.append({ source: 'b', position: 99n, transactions: [receipt(99n)] })
	async function* read(query: Parameters<Vault['transactions']['read']>[0]) {
		for await (const { lineage: _, ...of } of vault.transactions.read(query)) yield of
	}
	const older = { ...vault, transactions: { ...vault.transactions, read } }
	await expect(follow(older)).rejects.toMatchObject({ incident: { code: 'TIMELINE_CHANGED' } })
	expect((await vault.lineages()).map(({ timeline }) => timeline)).toEqual([1, 1])
})
