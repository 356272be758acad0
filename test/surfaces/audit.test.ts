import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSigner, signMessage } from '@reprieve/cdc'
import { startService } from '@reprieve/service'
import { openVaultAt } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { adminKey, configFor, problemOf, startTestService } from './support.ts'

type Entries = {
	items: { seq: string; act: string; outcome: string; principal: string; target?: string }[]
	next?: string
}

test('each change is recorded before and after, each refusal with its code, under one request id', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const viewer = await service.keyFor('viewer')
	const refused = await service.call('POST', '/api/v1/tables/protect', { tables: ['a'] }, { key: viewer })
	expect(problemOf(refused)).toMatchObject({ status: 403, code: 'FORBIDDEN' })
	await service.call('POST', '/api/v1/tokens/nobody/revoke', {})
	const { body } = await service.call<Entries>('GET', '/api/v1/audit')
	expect(body.items.map(({ act, outcome }) => `${act} ${outcome}`).reverse()).toEqual([
		'tokens.create asked',
		'tokens.create ok',
		'tables.protect FORBIDDEN',
		'tokens.revoke asked',
		'tokens.revoke NOT_FOUND',
	])
	expect(body.items.find((entry) => entry.outcome === 'FORBIDDEN')).toMatchObject({
		target: 'a',
		requestId: problemOf(refused).requestId,
	})
})

test('a call without a key is counted, not recorded', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	await service.call('POST', '/api/v1/tables/protect', { tables: ['a'] }, { key: null })
	expect(await database.sql`select from reprieve.audit`).toHaveLength(0)
	expect((await service.call('GET', '/metrics')).body).toMatch(/reprieve_unauthenticated_total 1\b/)
})

test('a change that nobody can read is recorded by its name, a read is not', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const send = async (path: string, body: string) => {
		const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
		return (await fetch(`${service.url}${path}`, { method: 'POST', headers, body })).status
	}
	const cut = '{"name": "a'
	const twice = '{"name": "a", "name": "b", "role": "viewer"}'
	expect(await send('/api/v1/tokens', cut)).toBe(400)
	expect(await send('/api/v1/tokens', twice)).toBe(400)
	expect(await send('/api/v1/tokens', JSON.stringify({ name: 'a\0', role: 'viewer' }))).toBe(400)
	expect(await send('/trpc/v1/tokens.create', twice)).toBe(400)
	expect(await send('/trpc/v1/tokens.create,tokens.revoke?batch=1', '{}')).toBe(400)
	expect(await send('/api/v1/archive/search', cut)).toBe(400)
	expect(await send('/api/v1/nothing', cut)).toBe(404)
	const recorded = await database.sql`select act, outcome, target from reprieve.audit order by seq`
	expect(recorded.map(({ act, outcome, target }) => [act, outcome, target])).toEqual([
		...Array.from({ length: 5 }, () => ['tokens.create', 'INVALID', null]),
		['tokens.revoke', 'INVALID', null],
	])
})

test('where the audit cannot be written, nothing is done', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	await database.sql`alter table reprieve.audit rename to audit_gone`
	const answer = await service.call('POST', '/api/v1/tokens', { name: 'a', role: 'viewer' })
	expect(problemOf(answer)).toMatchObject({ status: 500, code: 'INTERNAL' })
	expect(JSON.stringify(answer.body)).not.toContain('audit')
	expect(await database.sql`select from reprieve.api_keys where name = 'a'`).toHaveLength(0)
})

test('the chain is intact after 40 entries written at once by two services', async () => {
	await using database = await freshDatabase()
	await using left = await startTestService(database)
	await using right = await startTestService(database)
	const revoke = (n: number) => (n % 2 ? left : right).call('POST', `/api/v1/tokens/${n}/revoke`, {})
	await Promise.all(Array.from({ length: 20 }, (_, n) => revoke(n)))
	expect((await left.call('GET', '/api/v1/audit/verify')).body).toEqual({ entries: 40, intact: true })
})

test.each([
	['changed', (n: number) => `update reprieve.audit set outcome = 'ok' where seq = ${n}`],
	['removed', (n: number) => `delete from reprieve.audit where seq = ${n}`],
	['re-hashed alone', (n: number) => `update reprieve.audit set hash = repeat('0', 64) where seq = ${n}`],
	['given other details', (n: number) => `update reprieve.audit set detail = '{"reason": "x"}' where seq = ${n}`],
	['moved in time', (n: number) => `update reprieve.audit set at = at + interval '1 microsecond' where seq = ${n}`],
])('an entry that was %s by hand is found', async (_, edit) => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	for (let n = 0; n < 3; n++) await service.call('POST', `/api/v1/tokens/${n}/revoke`, {})
	await database.sql.unsafe(edit(4))
	expect((await service.call('GET', '/api/v1/audit/verify')).body).toMatchObject({ intact: false, brokenAt: '4' })
})

test('entries come newest first, a page at a time, with none twice', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	for (let n = 0; n < 5; n++) await service.call('POST', `/api/v1/tokens/${n}/revoke`, {})
	const seen: string[] = []
	for (let cursor: string | undefined = ''; cursor !== undefined; ) {
		const { body }: { body: Entries } = await service.call(
			'GET',
			`/api/v1/audit?limit=3${cursor ? `&cursor=${cursor}` : ''}`,
		)
		seen.push(...body.items.map((entry) => entry.seq))
		cursor = body.next
	}
	expect(seen).toEqual(['10', '9', '8', '7', '6', '5', '4', '3', '2', '1'])
})

test('entries cut off at the end are found by the checkpoint of the service that stopped, also after new ones came', async () => {
	await using database = await freshDatabase()
	const data = await mkdtemp(join(tmpdir(), 'reprieve-audit-'))
	const restarted = async (calls: number) => {
		const service = await startService(configFor(database.url, data))
		const call = async (path: string, init?: RequestInit) =>
			(await fetch(`${service.url}${path}`, { ...init, headers: { authorization: `Bearer ${adminKey}` } })).json()
		try {
			for (let n = 0; n < calls; n++) await call(`/api/v1/tokens/${n}/revoke`, { method: 'POST' })
			return await call('/api/v1/audit/verify')
		} finally {
			await service.stop()
		}
	}
	try {
		expect(await restarted(3)).toEqual({ entries: 6, intact: true })
		expect(await restarted(0)).toEqual({ entries: 6, intact: true })
		await database.sql`delete from reprieve.audit where seq > 4`
		expect(await restarted(0)).toEqual({ entries: 4, intact: false, brokenAt: '5' })
		expect(await restarted(2)).toMatchObject({ intact: false, brokenAt: '6' })
	} finally {
		await rm(data, { recursive: true, force: true })
	}
})

test('a checkpoint that nobody signed says nothing of the chain', async () => {
	await using database = await freshDatabase()
	const data = await mkdtemp(join(tmpdir(), 'reprieve-audit-'))
	const config = configFor(database.url, data)
	const service = await startService(config)
	const call = async (path: string, method = 'GET') =>
		(await fetch(`${service.url}${path}`, { method, headers: { authorization: `Bearer ${adminKey}` } })).json()
	try {
		for (let n = 0; n < 2; n++) await call(`/api/v1/tokens/${n}/revoke`, 'POST')
		const vault = openVaultAt(config.vault, database.name)
		const { privateKey } = generateKeyPairSync('ed25519')
		const stranger = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
		const checkpoint = { seq: '2', hash: '0'.repeat(64) }
		await vault.putAudit({ act: 'auditCheckpoint', signed: signMessage(stranger, 'reprieve.audit', checkpoint) })
		await vault.close()
		expect(await call('/api/v1/audit/verify')).toEqual({ entries: 4, intact: true })
	} finally {
		await service.stop()
		await rm(data, { recursive: true, force: true })
	}
})
