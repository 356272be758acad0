import { expect, test } from 'vitest'
import { getPlan } from '../../apps/service/src/plans/get.ts'
import { admin } from '../support/services.ts'
import { openGround, plan } from './support.ts'

const megabytes = 1024 * 1024

test('a plan over a million rows does not pass through the service', { timeout: 300_000 }, async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.t (id bigint primary key, mail text not null)`
	await ground.database
		.sql`insert into public.t select i, 'user' || i % 1000 || '@x' from generate_series(1, 1001000) i`
	const before = process.memoryUsage().rss
	let peak = before
	const watch = setInterval(() => {
		peak = Math.max(peak, process.memoryUsage().rss)
	}, 5)
	const made = await plan(ground.services, {
		kind: 'duplicates',
		table: 't',
		key: [{ column: 'mail', normalise: 'lower' }],
		keep: { orderBy: [{ column: 'id' }] },
	})
	const finished = await getPlan(ground.services, admin, { id: made.id, wait: 60 })
	clearInterval(watch)
	expect(finished).toMatchObject({ status: 'ready', rows: 1_000_000 })
	expect((peak - before) / megabytes).toBeLessThan(64)
})

test("a plan's rows are marked as committed before anybody uses them: a run logs no page of theirs whole", async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id bigint primary key)`
	await sql`insert into public.t select generate_series(1, 1000)`
	const { id } = await plan(ground.services, { kind: 'match', table: 't', where: { and: [] } })
	await sql`create extension pageinspect`
	const [page] = await sql<{ rows: number; marked: number }[]>`
		select count(*)::int as rows, count(*) filter (where t_infomask & 256 <> 0)::int as marked
		from heap_page_items(get_raw_page(${`reprieve.plan_${id.replaceAll('-', '')}_0`}, 0))`
	expect(page?.rows).toBeGreaterThan(5)
	expect(page?.marked).toBe(page?.rows)
})
