import type { Incident, Run, TableItem } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { reprieve } from '../e2e/launcher.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { adminKey, problemOf, startTestService, type TestService } from './support.ts'

type Incidents = { items: Incident[]; next?: string }

const path = '/api/v1/system/incidents'

async function incident({ sql }: TestDatabase, id: string, table: string | null, stopsCapture = false): Promise<void> {
	await sql`
		insert into reprieve.incidents (id, code, message, remedy, "table", stops_capture, at)
		values (${id}, 'TRUNCATED', 'it was truncated', 'see to it', ${table}, ${stopsCapture}, clock_timestamp())`
}

async function restorability(service: TestService): Promise<string> {
	return (await service.call<TableItem>('GET', '/api/v1/tables/t')).body.restorability.status
}

test('a resolved incident lets the table be restorable again, and the audit has who and why', async () => {
	await using database = await freshDatabase()
	await database.sql`create table public.t (id int primary key)`
	await database.sql`insert into public.t values (1)`
	await using service = await startTestService(database, { capture: true })
	await service.call('POST', '/api/v1/tables/protect?wait=30', { tables: ['t'] })
	expect(await restorability(service)).toBe('ready')
	await incident(database, 'i1', 't')
	expect(await restorability(service)).not.toBe('ready')
	const match = { table: 't', where: { column: 'id', op: 'eq', value: '1' }, reason: 'test' }
	const refused = await service.call('POST', '/api/cleanup/match', match)
	expect(problemOf(refused).code).toBe('NOT_RESTORABLE')

	const resolved = await service.call<Incident>('POST', `${path}/i1/resolve`, { reason: 'guard is back' })
	expect(resolved.body).toMatchObject({ id: 'i1', resolvedBy: 'bootstrap', stopsCapture: false })
	expect(await restorability(service)).toBe('ready')
	const run = await service.call<Run>('POST', '/api/cleanup/match', match)
	const done = await service.call<Run>('GET', `/api/v1/runs/${run.body.id}?wait=30`)
	expect(done.body).toMatchObject({ status: 'succeeded', deleted: 1, archived: 1 })
	const { body } = await service.call<{ items: object[] }>('GET', '/api/v1/audit?act=system.resolveIncident')
	expect(body.items).toMatchObject([
		{ outcome: 'ok', target: 'i1', principal: 'bootstrap' },
		{ outcome: 'asked', target: 'i1', detail: { reason: 'guard is back' } },
	])
	const again = await service.call<Incident>('POST', `${path}/i1/resolve`, { reason: 'again' })
	expect(again.body).toEqual(resolved.body)
})

test('whoever is not admin, or has no grant on the table, resolves nothing', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	await incident(database, 'i1', 't')
	await incident(database, 'i2', null)
	const keys = [
		await service.keyFor('viewer'),
		await service.keyFor('operator'),
		await service.keyFor('approver'),
		await service.keyFor('admin', ['other']),
	]
	for (const key of keys) {
		for (const id of ['i1', 'i2']) {
			const answer = await service.call('POST', `${path}/${id}/resolve`, { reason: 'x' }, { key })
			expect(problemOf(answer).code).toBe('FORBIDDEN')
		}
	}
	expect(await database.sql`select from reprieve.incidents where resolved_at is not null`).toHaveLength(0)
	const { body } = await service.call<{ items: object[] }>('GET', '/api/v1/audit?act=system.resolveIncident')
	expect(body.items.filter((entry) => (entry as { outcome: string }).outcome === 'FORBIDDEN')).toHaveLength(8)
})

test('an incident that stopped capture is resolved by adopting alone', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	await incident(database, 'i1', null, true)
	const refused = problemOf(await service.call('POST', `${path}/i1/resolve`, { reason: 'x' }))
	expect(refused).toMatchObject({ status: 409, code: 'CONFLICT', hint: 'see to it' })
	expect(problemOf(await service.call('POST', `${path}/i9/resolve`, { reason: 'x' })).code).toBe('NOT_FOUND')
	expect(problemOf(await service.call('POST', `${path}/i1/resolve`, {})).code).toBe('INVALID')
})

test('open incidents come first, a page at a time, with none twice', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	for (let n = 0; n < 5; n++) await incident(database, `i${n}`, null)
	await service.call('POST', `${path}/i4/resolve`, { reason: 'x' })
	await service.call('POST', `${path}/i1/resolve`, { reason: 'x' })
	const seen: string[] = []
	for (let cursor: string | undefined = ''; cursor !== undefined; ) {
		const query: string = cursor && `&cursor=${encodeURIComponent(cursor)}`
		const { body }: { body: Incidents } = await service.call('GET', `${path}?limit=2${query}`)
		seen.push(...body.items.map(({ id }) => id))
		cursor = body.next
	}
	expect(seen).toEqual(['i3', 'i2', 'i0', 'i4', 'i1'])
	expect(problemOf(await service.call('GET', `${path}?cursor=x`)).code).toBe('INVALID')
})

test('the command line lists and resolves them', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	await incident(database, 'i1', null)
	const cli = async (...args: string[]) => {
		const { output } = await reprieve({ REPRIEVE_URL: service.url, REPRIEVE_API_KEY: adminKey }, 'incidents', ...args)
		return output.trimEnd().split('\n')
	}
	expect(await cli()).toEqual([expect.stringMatching(/^i1 .*TRUNCATED: it was/), '  see to it'])
	expect(await cli('resolve', 'i1', '--reason', 'done')).toEqual(['TRUNCATED is resolved'])
	expect((await cli())[1]).toMatch(/resolved at .* by bootstrap/)
})
