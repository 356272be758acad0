import type { PlannedTable } from '@reprieve/control'
import { expect, test } from 'vitest'
import { scanRows } from '../../apps/service/src/plans/scan-rows.ts'
import { getRun } from '../../apps/service/src/runs/get.ts'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { startWorkers } from '../../apps/service/src/runs/worker/loop.ts'
import { openShop } from '../runs/shop.ts'
import { freshLatin1Database, postgresVersions, startCluster, type TestDatabase } from '../support/postgres.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { bodyOf, type Ground, openGround, openGroundIn, plan } from './support.ts'

const marked = { kind: 'match' as const, table: 't', where: { column: 'marked', op: 'eq' as const, value: true } }

type Filling = { key?: string; note?: number; each?: number }

/** 3,000 rows of `note` bytes, of which each `each`th is marked; a third was updated, so that pages are full to different degrees. */
async function fill({ sql }: TestDatabase, { key = 'bigint', note = 100, each = 2 }: Filling = {}): Promise<void> {
	const value = key.endsWith('[]') ? 'array[i]' : 'i::text'
	await sql.unsafe(`create table public.t (id ${key} primary key, n int, marked boolean, note text)`)
	await sql.unsafe(`insert into public.t select ${value}::${key}, i, i % ${each} = 0, repeat('x', ${note})
		from generate_series(1, 3000) i`)
	await sql`update public.t set n = n where n % 3 = 0`
	await sql`vacuum (analyze) public.t`
}

async function plannedOf(ground: Ground): Promise<PlannedTable> {
	const made = await plan(ground.services, marked)
	return (await bodyOf(ground.services, made.id)).tables[0] as PlannedTable
}

/** How many rows the rows table has. */
async function packsOf({ database }: Ground, planned: PlannedTable): Promise<number> {
	const [row] = await database.sql.unsafe<{ packs: number }[]>(
		`select count(*)::int as packs from reprieve.${planned.rowsTable}`,
	)
	return row?.packs ?? 0
}

/** What is planned by unit, and what should be: every marked row once, as they lie. */
async function compare({ sql }: TestDatabase, planned: PlannedTable): Promise<void> {
	const found = await sql.unsafe(
		`select unit::int, k1::text as id, version::text from ${scanRows(planned)} p order by unit`,
	)
	const lying = await sql`
		select row_number() over (order by ctid)::int as unit, id::text, xmin::text as version from public.t where marked`
	expect([...found]).toEqual([...lying])
	expect(planned.rows).toBe(lying.length)
	for (let from = 1; from <= lying.length; from += 7) {
		const units = { from: String(from), to: String(from + 6) }
		const within = await sql.unsafe(
			`select unit::int, k1::text as id, version::text from ${scanRows(planned, units)} p
			where unit between ${units.from} and ${units.to} order by unit`,
		)
		expect([...within]).toEqual(lying.slice(from - 1, from + 6))
	}
}

async function pagesOf({ sql }: TestDatabase): Promise<number> {
	const [row] = await sql<{ pages: number }[]>`
		select count(distinct (ctid::text::point)[0])::int as pages from public.t where marked`
	return row?.pages ?? 0
}

/** Has workers put together whatever they can: to hand rows on one by one is dear. */
const byWorkers = {
	min_parallel_table_scan_size: '0',
	parallel_setup_cost: '0',
	parallel_tuple_cost: '1',
	cpu_operator_cost: '0.5',
	parallel_leader_participation: 'off',
}

test.each(postgresVersions)('matches of a page are packed together (PostgreSQL %i)', async (version) => {
	await using cluster = await startCluster(version, byWorkers)
	await using ground = await openGround({}, cluster)
	await fill(ground.database, { key: 'text' })
	const planned = await plannedOf(ground)
	expect(await packsOf(ground, planned)).toBe(await pagesOf(ground.database))
	await compare(ground.database, planned)
})

test('workers take part in packing', async () => {
	await using cluster = await startCluster(18, byWorkers)
	await using ground = await openGround({}, cluster)
	const { sql, name } = ground.database
	await fill(ground.database)
	const launched = async () => {
		const [row] = await sql<{ workers: number }[]>`
			select parallel_workers_launched::int as workers from pg_stat_database where datname = ${name}`
		return row?.workers ?? 0
	}
	const before = await launched()
	const planned = await plannedOf(ground)
	await until(async () => (await launched()) > before, 'workers to be counted')
	await compare(ground.database, planned)
})

test('keys are planned as they are in a database of another encoding, whoever packs them', async () => {
	await using cluster = await startCluster(18, byWorkers)
	await using ground = await openGroundIn(await freshLatin1Database(cluster))
	const { sql } = ground.database
	await sql`create table public.t (id text primary key, n int, marked boolean, note text)`
	// Read as UTF-8, each of the marked keys is the one of another row.
	await sql.unsafe(`insert into public.t select case when i % 2 = 0 then U&'\\00C3\\00A9' else U&'\\00E9' end || (i / 2), i, i % 2 = 0,
		repeat('x', 100) from generate_series(2, 3001) i`)
	await sql`vacuum (analyze) public.t`
	const planned = await plannedOf(ground)
	const found = await sql.unsafe(`select k1 as id from ${scanRows(planned)} p order by 1`)
	expect([...found]).toEqual([...(await sql`select id from public.t where marked order by 1`)])
})

test.each(['text', 'oidvector', 'int[]', 'character(8)', 'numeric(10,2)'])(
	'keys of %s are packed by page',
	async (key) => {
		await using ground = await openGround()
		await fill(ground.database, { key, note: 150 })
		const planned = await plannedOf(ground)
		expect(await packsOf(ground, planned)).toBe(await pagesOf(ground.database))
		await compare(ground.database, planned)
	},
)

test('matches are numbered in turn where a page would make too wide a pack, or there are few of a page', async () => {
	for (const filling of [{ note: 0 }, { each: 50 }]) {
		await using ground = await openGround()
		await fill(ground.database, filling)
		const planned = await plannedOf(ground)
		expect(await packsOf(ground, planned)).toBe(Math.ceil(planned.rows / 75))
		await compare(ground.database, planned)
	}
})

test('more matches than allowed are refused with their number, whether the statistics expect them or not', async () => {
	for (const [allowed, analysed] of [
		[2000, true],
		[2900, false],
	] as const) {
		await using ground = await openGround({ limits: { planRows: allowed } })
		const { sql } = ground.database
		await fill(ground.database, { each: 10 })
		await sql`update public.t set marked = true`
		if (analysed) await sql`analyze public.t`
		await expect(plan(ground.services, marked)).rejects.toMatchObject({
			code: 'LIMIT_EXCEEDED',
			message: expect.stringMatching(new RegExp(`3000.*${allowed}`)),
		})
		expect(await sql`select from pg_tables where schemaname = 'reprieve' and tablename like 'plan\\_%'`).toEqual([])
	}
})

test('a run deletes what is packed by page, in batches that end within a page', async () => {
	await using shop = await openShop('select 1')
	const { services, database } = shop
	await fill(database)
	await shop.protect('t')
	const planId = await shop.plan(marked)
	const { id } = await startRun(services, admin, { planId, reason: 'test', batch: { rows: 100 } })
	const workers = await startWorkers(services)
	try {
		await until(async () => {
			await shop.archive()
			return (await getRun(services, admin, { id })).status === 'succeeded'
		}, 'the run')
		expect(await getRun(services, admin, { id })).toMatchObject({ deleted: 1500, drifted: 0, batches: 15 })
	} finally {
		await workers.stop()
	}
	expect(await database.sql`select count(*)::int as rows, bool_or(marked) as any from public.t`).toMatchObject([
		{ rows: 1500, any: false },
	])
})
