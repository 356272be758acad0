import type { ErrorCode } from '@reprieve/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestService, type TestService } from '../surfaces/support.ts'
import { contentsOf } from './contents.ts'
import { expectRefusal, expectTrpcRefusal } from './refusal.ts'

const schema = `create type public.mood as enum ('sad');
	create domain public.positive as int check (value > 0);
	create table public.t (id int primary key, at timestamptz, name text, doc jsonb, plain json, bits bit(3), tags text[],
		place point, mood public.mood, amount public.positive, uid uuid, n numeric, f float8, span int4range, raw bytea, ip inet,
		iv interval, words tsvector, query tsquery, path jsonpath, role regrole, made int generated always as (id + 1) stored);
	insert into public.t (id) select generate_series(1, 10);
	create table public."x'; drop table t; --" (id int primary key);
	create view public.v as select 1 as id;
	create sequence public.seq`

let database: TestDatabase
let service: TestService
beforeAll(async () => {
	database = await freshDatabase()
	await database.sql.unsafe(schema).simple()
	service = await startTestService(database, { capture: true })
})
afterAll(async () => {
	await service?.[Symbol.asyncDispose]()
	await database?.[Symbol.asyncDispose]()
})

/** A refusal over REST and over tRPC, each with nothing changed. */
async function refused(path: string, procedure: string, input: unknown, code: ErrorCode): Promise<void> {
	const about = `${procedure} ${JSON.stringify(input)?.slice(0, 120)}`
	expectRefusal(await service.call('POST', path, input), code, about)
	expectTrpcRefusal(await service.call('POST', `/trpc/v1/${procedure}`, input), code, about)
}

async function unchanged(work: () => Promise<void>): Promise<void> {
	const before = await contentsOf(database.sql)
	await work()
	expect(await contentsOf(database.sql)).toEqual(before)
}

const names: [name: string, code: ErrorCode][] = [
	...[
		"t'; drop table t; --",
		'%2e%2e',
		't\n',
		't\u0001',
		'\u001b[2J',
		'ｔ',
		't\u200b',
		'т',
		'T',
		' t',
		't ',
		"'",
		'\\',
		'$1',
		'*',
	].map((name): [string, ErrorCode] => [name, 'NOT_FOUND']),
	...['x'.repeat(63), 'é'.repeat(31), '__proto__', 'constructor', 'public.toString', '😀'].map(
		(name): [string, ErrorCode] => [name, 'NOT_FOUND'],
	),
	...['pg_catalog.pg_class', 'reprieve.plans', 'reprieve.api_keys', 'information_schema.tables', 'pg_toast.x'].map(
		(name): [string, ErrorCode] => [name, 'NOT_FOUND'],
	),
	...['v', 'seq', '', '.', '..', 'a.b.c', '../../etc/passwd', 't"; drop', '"', '""', '"t', 't"x"', '.t', 't.'].map(
		(name): [string, ErrorCode] => [name, 'INVALID'],
	),
	...['x'.repeat(64), 'é'.repeat(32), 'é'.repeat(40), 'x'.repeat(300), `${'x'.repeat(64)}.t`, '😀'.repeat(16)].map(
		(name): [string, ErrorCode] => [name, 'INVALID'],
	),
	...['t\0', '\0', 't\ud800', '\udc00', 'x'.repeat(301)].map((name): [string, ErrorCode] => [name, 'INVALID']),
]

test('no name of a table reaches beyond the catalog', async () => {
	await unchanged(async () => {
		for (const [table, code] of names) {
			const policy = { kind: 'match', table, where: { and: [] } }
			await refused('/api/v1/plans', 'plans.create', { policy }, code)
			await refused('/api/cleanup/match', 'cleanup.match', { table, where: { and: [] } }, code)
			if (code === 'INVALID' && !['v', 'seq'].includes(table)) {
				await refused('/api/v1/tables/protect', 'tables.protect', { tables: [table] }, code)
				await refused('/api/v1/tables/unprotect', 'tables.unprotect', { tables: [table] }, code)
				await refused('/api/v1/archive/search', 'archive.changes', { table }, code)
				await refused('/api/v1/restores/preview', 'restores.preview', { selection: { table } }, code)
				await refused('/api/v1/tokens', 'tokens.create', { name: 'a', role: 'viewer', tables: [table] }, code)
			} else await refused('/api/v1/system/verify', 'system.verify', { table }, 'NOT_FOUND')
		}
	})
})

test('a table whose name is SQL is a table like any other', async () => {
	const table = "x'; drop table t; --"
	const { body } = await service.call('POST', '/api/v1/plans', { policy: { kind: 'match', table, where: { and: [] } } })
	expect(body).toMatchObject({ table, rows: 0, status: 'ready' })
	expect(await database.sql`select count(*)::int as n from public.t`).toEqual([{ n: 10 }])
})

const columns = [
	'absent',
	'__proto__',
	'constructor',
	'ctid',
	'xmin',
	'tableoid',
	'id"',
	"id' or 1=1 --",
	'ID',
	'*',
	'x'.repeat(64),
	'',
	'id\0',
]

test('no name of a column reaches beyond the table', async () => {
	await unchanged(async () => {
		for (const column of columns) {
			const fields = [
				{ kind: 'match', where: { column, op: 'isNull' } },
				{ kind: 'stale', column, olderThan: 'P1D' },
				{ kind: 'incomplete', missing: [column] },
				{ kind: 'duplicates', key: [column], keep: 'mostComplete' },
				{ kind: 'duplicates', key: ['name'], keep: { orderBy: [{ column }] } },
				{ kind: 'orphans', columns: [column], references: { table: 't', columns: ['id'] } },
				{ kind: 'orphans', columns: ['id'], references: { table: 't', columns: [column] } },
			]
			for (const each of fields) {
				await refused('/api/v1/plans', 'plans.create', { policy: { table: 't', ...each } }, 'INVALID')
			}
		}
	})
})

/** Values that their column's type does not have, and comparisons that it does not have. */
const predicates: [column: string, op: string, value?: unknown][] = [
	...[null, {}, [], '', 'one', '1; drop', '1e400', '99999999999999999999', 1.5, true, 2 ** 53, -(2 ** 60), 1e300].map(
		(value): [string, string, unknown] => ['id', 'eq', value],
	),
	...['=', 'EQ', 'or', '__proto__', 'constructor', '', '= 1 or 1', 'regex', '~', 'between'].map(
		(op): [string, string, unknown] => ['id', op, 1],
	),
	['id', 'eq'],
	['id', 'isNull', 1],
	['id', 'in', 1],
	['id', 'in', '1'],
	['id', 'in', [[1]]],
	['id', 'in', [null]],
	['id', 'in', [1, 'x']],
	['id', 'in', Array(1001).fill(1)],
	['id', 'like', '%'],
	...['9999999-01-01', '294277-01-01', '2020-13-45', '2020-02-30', '4714-01-01 BC', '25:00', 'x'.repeat(100_000)].map(
		(value): [string, string, unknown] => ['at', 'lt', value],
	),
	['at', 'lt', 'x'.repeat(100_001)],
	['at', 'like', '2020%'],
	['name', 'eq', 'a\0b'],
	['name', 'eq', '\ud800'],
	['doc', 'eq', '{'],
	['plain', 'eq', '{}'],
	['bits', 'eq', '2'],
	['tags', 'eq', '{a'],
	['place', 'eq', '(1,2)'],
	['mood', 'eq', 'angry'],
	['amount', 'eq', '-5'],
	['uid', 'eq', 'zz'],
	['n', 'eq', '1e200000'],
	['f', 'eq', '1e999'],
	['span', 'eq', '[1,2'],
	['raw', 'eq', '\\xzz'],
	['ip', 'eq', '999.1.1.1'],
	['iv', 'eq', 'P1000000000Y'],
	['words', 'eq', "'"],
	['query', 'eq', '&'],
	['path', 'eq', '$.'],
	['role', 'eq', 'nobody'],
]

test('a predicate whose value or operator its column does not have is INVALID', async () => {
	await unchanged(async () => {
		for (const [column, op, value] of predicates) {
			const where = { column, op, ...(value === undefined ? {} : { value }) }
			await refused('/api/v1/plans', 'plans.create', { policy: { kind: 'match', table: 't', where } }, 'INVALID')
		}
	})
})

test('patterns that a matcher could drown in are answered', async () => {
	await database.sql`update public.t set name = repeat('a', 20000)`
	for (const value of [
		`${'%a'.repeat(30)}%b`,
		`${'%'.repeat(50_000)}b`,
		`${'_'.repeat(50_000)}b`,
		`${'%_%a'.repeat(100)}b`,
	]) {
		const policy = { kind: 'match', table: 't', where: { column: 'name', op: 'like', value } }
		const { status, body } = await service.call('POST', '/api/v1/plans', { policy })
		expect([value.slice(0, 8), status, body.rows]).toEqual([value.slice(0, 8), 201, 0])
	}
})

/** JSON text of a predicate of so many levels. */
function nested(depth: number, [open, close]: readonly [string, string]): string {
	return `${open.repeat(depth - 1)}{"column":"id","op":"isNull"}${close.repeat(depth - 1)}`
}

test('a predicate of 16 levels is evaluated, one of 17 to 10,000 is refused whatever it is made of', async () => {
	const plan = (where: string) => `{"policy":{"kind":"match","table":"t","where":${where}}}`
	const wraps = [
		['{"not":', '}'],
		['{"and":[', ']}'],
		['{"or":[', ']}'],
	] as const
	for (const wrap of wraps)
		expect((await service.call('POST', '/api/v1/plans', plan(nested(16, wrap)))).status).toBe(201)
	await unchanged(async () => {
		for (const wrap of wraps) {
			for (const where of [17, 60, 1000, 10_000].map((depth) => nested(depth, wrap))) {
				await refused('/api/v1/plans', 'plans.create', plan(where), 'INVALID')
				await refused('/api/v1/archive/search', 'archive.changes', `{"table":"t","where":${where}}`, 'INVALID')
			}
		}
		const wide = `{"or":[${Array(1000).fill('{"column":"id","op":"isNull"}')}]}`
		await refused('/api/v1/plans', 'plans.create', plan(wide), 'INVALID')
		for (const text of ['['.repeat(100_000), `${'['.repeat(100_000)}${']'.repeat(100_000)}`, '{"a":'.repeat(100_000)]) {
			await refused('/api/v1/plans', 'plans.create', text, 'INVALID')
			await refused('/api/v1/plans', 'plans.create', `{"policy":${text}}`, 'INVALID')
		}
	})
})

/** What a field declared as this type must not take. */
const shapes: [path: string, procedure: string, input: unknown][] = [
	...[null, 1, 'text', true, [], [{}]].map((input): [string, string, unknown] => [
		'/api/v1/plans',
		'plans.create',
		input,
	]),
	...['5', 1.5, 0, -1, Number.POSITIVE_INFINITY, 2 ** 53, null, [5], {}, true].map(
		(rows): [string, string, unknown] => ['/api/v1/runs', 'runs.start', { planId: 'x', reason: 'x', batch: { rows } }],
	),
	...[[], {}, 5, null, '', 'x'.repeat(1001), ['x']].map((reason): [string, string, unknown] => [
		'/api/v1/runs',
		'runs.start',
		{ planId: 'x', reason },
	]),
	...['x'.repeat(101), '', 5, null, {}, ['x'], 'a\0'].map((planId): [string, string, unknown] => [
		'/api/v1/runs',
		'runs.start',
		{ planId, reason: 'x' },
	]),
	...[{}, { table: 't' }, { table: 't', keys: [] }, { table: 't', keys: [5] }, { table: 't', keys: [{ id: {} }] }]
		.slice(2)
		.map((selection): [string, string, unknown] => ['/api/v1/restores/preview', 'restores.preview', { selection }]),
	...[
		{ run: 'a', table: 't' },
		{ run: ['a'] },
		{ changes: [] },
		{ changes: Array(10_001).fill('x') },
		{ transaction: 5 },
	].map((selection): [string, string, unknown] => ['/api/v1/restores/preview', 'restores.preview', { selection }]),
	...['nonsense', '1-xyz', '1-0000000000000000-', '99999999999-0000000000000000', '__proto__'].map(
		(transaction): [string, string, unknown] => ['/api/v1/archive/search', 'archive.changes', { transaction }],
	),
	...['yesterday', '2020-13-45T00:00:00Z', '2020-01-01', '+275760-09-13T00:00:00Z', 5, {}].map(
		(from): [string, string, unknown] => ['/api/v1/archive/search', 'archive.changes', { table: 't', from }],
	),
	...['x', '-1', '0-', 'ffffffffffffffffff-0', '__proto__'].map((cursor): [string, string, unknown] => [
		'/api/v1/archive/search',
		'archive.changes',
		{ table: 't', cursor },
	]),
	...[
		'P',
		'PT',
		'P-1D',
		'P1.5D',
		'90 days',
		'P1D; drop',
		'2020-01-01',
		'2020-99-99T00:00:00Z',
		`P${'9'.repeat(400)}Y`,
		5,
	].map((olderThan): [string, string, unknown] => [
		'/api/cleanup/stale',
		'cleanup.stale',
		{ table: 't', column: 'at', olderThan },
	]),
	['/api/v1/tables/protect', 'tables.protect', { tables: Array(1001).fill('t') }],
	['/api/v1/tables/protect', 'tables.protect', { tables: { 0: 't', length: 1 } }],
	['/api/v1/tokens', 'tokens.create', { name: 'x'.repeat(101), role: 'viewer' }],
	['/api/v1/tokens', 'tokens.create', { name: 'x', role: '__proto__' }],
	['/api/v1/archive/search', 'archive.changes', { key: { id: 1 } }],
	['/api/v1/archive/search', 'archive.changes', { table: 't', limit: 1001 }],
	['/api/v1/archive/search', 'archive.changes', { table: 't', limit: 1.5 }],
]

test('a field takes its declared type alone', async () => {
	await unchanged(async () => {
		for (const [path, procedure, input] of shapes) await refused(path, procedure, input, 'INVALID')
	})
})
