import { type Client, createClient } from '@reprieve/client'
import { type ErrorCode, ReprieveError } from '@reprieve/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { adminKey, startTestService, type TestService } from '../surfaces/support.ts'
import { contentsOf } from './contents.ts'

let database: TestDatabase
let service: TestService
let client: Client
beforeAll(async () => {
	database = await freshDatabase()
	await database.sql`create table public.t (id int primary key, n float8)`
	service = await startTestService(database, { capture: true })
	client = createClient({ url: service.url, apiKey: adminKey })
})
afterAll(async () => {
	await service?.[Symbol.asyncDispose]()
	await database?.[Symbol.asyncDispose]()
})

/** What a program without a compiler may hand over. */
function plan(where: unknown, table: unknown = 't'): Promise<unknown> {
	return client.plans.create({ kind: 'match', table, where } as never)
}

function deep(levels: number): unknown {
	let node: unknown = { and: [] }
	for (let level = 0; level < levels; level++) node = { not: node }
	return node
}

const is = (value: unknown) => ({ column: 'n', op: 'eq', value })
const refused: [what: string, call: () => Promise<unknown>, code: ErrorCode][] = [
	['NaN', () => plan(is(Number.NaN)), 'INVALID'],
	['infinity', () => plan(is(Number.POSITIVE_INFINITY)), 'INVALID'],
	['a number that is rounded', () => plan(is(2 ** 53)), 'INVALID'],
	['undefined', () => plan(is(undefined)), 'INVALID'],
	['a date', () => plan(is(new Date())), 'INVALID'],
	['half a surrogate pair', () => plan(is('\ud800')), 'INVALID'],
	['NUL', () => plan(is('\0')), 'INVALID'],
	['a million values', () => plan({ column: 'n', op: 'in', value: Array(1_000_000).fill(1) }), 'TOO_LARGE'],
	['1,001 values', () => plan({ column: 'n', op: 'in', value: Array(1_001).fill(1) }), 'INVALID'],
	['17 levels', () => plan(deep(17)), 'INVALID'],
	['100,000 levels', () => plan(deep(100_000)), 'INVALID'],
	['no predicate', () => plan(null), 'INVALID'],
	['a function', () => plan(() => true), 'INVALID'],
	['an inherited member', () => plan(JSON.parse('{"__proto__": {"and": []}}')), 'INVALID'],
	['a table that is an object', () => plan({ and: [] }, { toString: 't' }), 'INVALID'],
	['a name that is SQL', () => plan({ and: [] }, "t'; drop table t; --"), 'NOT_FOUND'],
	['an id that goes up', () => client.runs.get('../../tokens'), 'NOT_FOUND'],
	['an id that is empty', () => client.runs.get(''), 'INVALID'],
	['an id that is none', () => client.runs.get(undefined as never), 'INVALID'],
	['a body of a megabyte', () => client.tokens.create({ name: 'x'.repeat(2 ** 20), role: 'viewer' }), 'TOO_LARGE'],
	['a wrong key', () => createClient({ url: service.url, apiKey: 'x' }).system.status(), 'UNAUTHENTICATED'],
	['nobody there', () => createClient({ url: 'http://127.0.0.1:1', apiKey: 'x' }).system.status(), 'UNAVAILABLE'],
]

test('whatever a program hands to the client, it gets a ReprieveError of the right code and nothing changes', async () => {
	const before = await contentsOf(database.sql)
	for (const [what, call, code] of refused) {
		const error = await call().catch((thrown: unknown) => thrown)
		expect.soft([what, error instanceof ReprieveError && error.code]).toEqual([what, code])
	}
	expect(await contentsOf(database.sql)).toEqual(before)
})

test('the digest of the contents notices a row, a column, a trigger, an identity and a publication', async () => {
	const { sql } = database
	const changes = [
		`insert into public.t values (1, 1)`,
		`alter table public.t add note text`,
		`alter table public.t replica identity full`,
		`alter table public.t enable row level security`,
		`alter publication reprieve add table public.t`,
		`update reprieve.api_keys set revoked_at = now()`,
	]
	let before = await contentsOf(sql)
	for (const change of changes) {
		await sql.unsafe(change)
		const after = await contentsOf(sql)
		expect([change, after]).not.toEqual([change, before])
		before = after
	}
})
