import { finishProtecting, protectTable, readGate, readRestorability, uninstall } from '@reprieve/postgres'
import type { Sidecar } from '@reprieve/sidecar'
import type { Cluster } from '@reprieve/standalone/embedded'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { get } from '../../apps/service/src/tables/get.ts'
import { list } from '../../apps/service/src/tables/list.ts'
import { protect } from '../../apps/service/src/tables/protect.ts'
import { unprotect } from '../../apps/service/src/tables/unprotect.ts'
import { type CaptureGround, captureGround } from '../capture/ground.ts'
import { postgresVersions, startCluster } from '../support/postgres.ts'
import { admin, type TestServices, testServices } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { oidOf, tableState } from './support.ts'

async function capturing(cluster: {
	url: string
}): Promise<AsyncDisposable & { ground: CaptureGround; sidecar: Sidecar; services: TestServices }> {
	const ground = await captureGround(cluster)
	const sidecar = await ground.start()
	const services = await testServices(ground, { vault: ground.vault, openLineage: false })
	return {
		ground,
		sidecar,
		services,
		async [Symbol.asyncDispose]() {
			await services[Symbol.asyncDispose]()
			await ground[Symbol.asyncDispose]()
		},
	}
}

describe.each(postgresVersions)('proof and gate on PostgreSQL %i', (version) => {
	let cluster: Cluster & AsyncDisposable
	beforeAll(async () => {
		cluster = await startCluster(version, { max_prepared_transactions: '5' })
	})
	afterAll(async () => {
		await cluster.stop()
	})

	test('a table is ready after its canary came back from the vault, and its deletes are archived', async () => {
		await using world = await capturing(cluster)
		const { ground, services } = world
		await ground.sql`create table public.a (id int primary key)`
		await ground.sql`create table public.b (id int primary key, a int references public.a on delete cascade)`
		await ground.sql`create table public.bare (id int)`
		const answer = await protect(services, admin, { tables: ['a', 'public.bare', 'nowhere'], wait: 20 })
		expect(
			answer.tables.map(({ table, restorability }) => [table, restorability.status, restorability.findings[0]?.code]),
		).toEqual([
			['a', 'ready', undefined],
			['bare', 'closed', 'noKey'],
			['nowhere', 'closed', 'notFound'],
		])
		expect(answer.tables[0]?.changes?.[0]).toBe('alter table "public"."a" replica identity full')
		await ground.sql`insert into public.a values (1), (2)`
		await ground.sql`insert into public.b values (1, 1)`
		await ground.sql`delete from public.a`
		await ground.barrier()
		expect(await get(services, admin, { table: 'a' })).toMatchObject({
			table: 'a',
			restorability: { status: 'ready', findings: [] },
			protectedSince: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*\.\d{6}Z$/),
			gaps: [],
			archivedRows: 2,
		})
		const { items } = await list(services, admin, {})
		expect(items.map((item) => [item.table, item.restorability.status, item.archivedRows])).toEqual([
			['a', 'ready', 2],
			['b', 'ready', 1],
			['bare', 'closed', 0],
		])
		const first = await list(services, admin, { limit: 1 })
		expect((await list(services, admin, { limit: 1, cursor: first.next })).items[0]?.table).toBe('b')
		expect((await list(services, { ...admin, tables: ['public.b'] }, {})).items.map((item) => item.table)).toEqual([
			'b',
		])
		await expect(get(services, admin, { table: 'nowhere' })).rejects.toMatchObject({ code: 'NOT_FOUND' })

		const gone = await unprotect(services, admin, { tables: ['a', 'b'] })
		expect(gone.tables.map(({ restorability }) => restorability.findings[0]?.code)).toEqual([
			'notProtected',
			'notProtected',
		])
		expect((await get(services, admin, { table: 'b' })).gaps).toMatchObject([{ table: 'b', reason: 'unprotected' }])
		await protect(services, admin, { tables: ['a'], wait: 20 })
		expect((await get(services, admin, { table: 'b' })).gaps).toMatchObject([{ until: expect.any(String) }])
	})

	test('a dry run lists the exact statements and changes nothing', async () => {
		await using world = await capturing(cluster)
		const { ground, services } = world
		await ground.sql`create table public.a (id int primary key)`
		const before = await tableState(ground.sql)
		const { tables } = await protect(services, admin, { tables: ['a'], dryRun: true })
		expect(tables[0]?.changes).toEqual([
			'alter table "public"."a" replica identity full',
			'alter publication reprieve add table only "public"."a"',
			'create trigger reprieve_guard_truncate before truncate on "public"."a" for each statement execute function reprieve.refuse_truncate()',
			'alter table "public"."a" enable always trigger reprieve_guard_truncate',
			'-- from then on TRUNCATE of "public"."a" is refused',
			'-- from then on DROP TABLE "public"."a" needs: set reprieve.allow = \'on\'',
		])
		expect(await tableState(ground.sql)).toEqual(before)
	})

	test('a table waits for transactions older than the change, prepared ones too, and is then finished by anybody', async () => {
		await using world = await capturing(cluster)
		const { ground, services } = world
		const { sql } = ground
		await sql`create table public.a (id int primary key)`
		await sql`create table public.o (id int primary key)`
		const older = await sql.reserve()
		await older`begin`
		await older`insert into public.o values (1)`
		await sql.begin((tx) => [tx`insert into public.o values (2)`, tx`prepare transaction 'held'`]).catch(() => {})
		const oid = await oidOf(sql, 'a')
		await protectTable(sql, oid)
		const readCanary = async () => true
		const waiting = await finishProtecting(sql, { waitMs: 0, readCanary })
		expect(waiting.ready).toEqual([])
		expect(waiting.findings[0]?.message).toMatch(
			/process \d+, prepared transaction held|prepared transaction held, process \d+/,
		)
		expect((await readRestorability(sql, [oid])).get(oid)?.status).toBe('pending')
		await older`commit`
		older.release()
		expect((await finishProtecting(sql, { waitMs: 0, readCanary })).ready).toEqual([])
		await sql`rollback prepared 'held'`
		const { tables } = await protect(services, admin, { tables: ['a'], wait: 20 })
		expect(tables[0]?.restorability).toEqual({ status: 'ready', findings: [] })
	})

	test('a canary that the vault does not hand back proves nothing', async () => {
		await using world = await capturing(cluster)
		const { sql } = world.ground
		await sql`create table public.a (id int primary key)`
		await protectTable(sql, await oidOf(sql, 'a'))
		const { ready } = await finishProtecting(sql, { waitMs: 10_000, readCanary: async () => false })
		expect(ready).toEqual([])
		expect(await sql`select status from reprieve.protected_tables`).toEqual([{ status: 'pending' }])
	})

	const weakenings: [what: string, code: string, weaken: string, mend: boolean][] = [
		['the identity was changed', 'identity', 'alter table public.r1 replica identity default', true],
		['the table left the publication', 'notPublished', 'alter publication reprieve drop table public.r1', true],
		[
			'a leaf left the publication of moves',
			'notPublished',
			'alter publication reprieve_move drop table public.r1',
			true,
		],
		[
			'a relinked child left its publication',
			'notPublished',
			'alter publication reprieve_relink drop table public.n',
			true,
		],
		[
			'a row filter was set',
			'notPublished',
			'alter publication reprieve set table reprieve.canary, public.n, public.r1 where (id > 5)',
			false,
		],
		['the publication was altered', 'publicationAltered', "alter publication reprieve set (publish = 'insert')", true],
		[
			'the publication publishes by root',
			'publicationAltered',
			'alter publication reprieve set (publish_via_partition_root)',
			true,
		],
		[
			'a new partition came',
			'newPartition',
			'create table public.r2 partition of public.r for values from (10) to (20)',
			true,
		],
		[
			'an incident is open',
			'incident',
			"insert into reprieve.incidents (id, code, message, remedy, stops_capture, at) values ('i', 'c', 'm', 'r', false, now())",
			false,
		],
		[
			'an incident of the root is open',
			'incident',
			`insert into reprieve.incidents (id, code, message, remedy, stops_capture, at, "table") values ('i', 'c', 'm', 'r', false, now(), 'r')`,
			false,
		],
	]
	test('the gate closes on whatever would keep a delete from the archive, and protecting again mends it', async () => {
		await using world = await capturing(cluster)
		const { ground, services } = world
		const { sql } = ground
		await sql`create table public.r (id int primary key) partition by range (id)`
		await sql`create table public.r1 partition of public.r for values from (0) to (10)`
		await sql`create table public.n (id int primary key, r int references public.r on delete set null)`
		await protect(services, admin, { tables: ['r'], wait: 20 })
		const oids = [await oidOf(sql, 'r'), await oidOf(sql, 'n')]
		const codes = async () => (await readGate(sql, oids)).map((finding) => finding.code)
		expect(await codes()).toEqual([])
		for (const [what, code, weaken, isMended] of weakenings) {
			await sql.begin((tx) => [tx`set local reprieve.allow = 'on'`, tx.unsafe(weaken)])
			expect(await codes(), what).toContain(code)
			const [closed] = [...(await readRestorability(sql, oids)).values()]
			expect(closed?.status, what).toBe('closed')
			await sql`update reprieve.incidents set resolved_at = now()`
			if (weaken.includes('where (id')) {
				await sql.begin((tx) => [
					tx`set local reprieve.allow = 'on'`,
					tx`alter publication reprieve drop table public.r1`,
				])
			}
			const gaps = await sql`select from reprieve.capture_gaps`
			const { tables } = await protect(services, admin, { tables: ['r'], wait: 20 })
			expect(tables[0]?.restorability, what).toEqual({ status: 'ready', findings: [] })
			expect(await codes(), what).toEqual([])
			if (isMended) expect((await sql`select from reprieve.capture_gaps`).length, what).toBeGreaterThan(gaps.length)
			await sql`delete from reprieve.incidents`
		}
	})

	test('the gate closes when capture stops, its heartbeat ages, or the slot goes', async () => {
		await using world = await capturing(cluster)
		const { ground, services } = world
		const { sql } = ground
		await sql`create table public.a (id int primary key)`
		await protect(services, admin, { tables: ['a'], wait: 20 })
		const oids = [await oidOf(sql, 'a')]
		const codes = async () => (await readGate(sql, oids)).map((finding) => finding.code)
		await until(async () => (await codes()).length === 0, 'the gate opens')
		expect((await readGate(sql, oids, { heartbeatAgeMs: -1 })).map((finding) => finding.code)).toEqual([
			'captureStopped',
		])
		expect((await readGate(sql, oids, { lagBytes: -1 })).map((finding) => finding.code)).toEqual(['captureLag'])
		await expect(uninstall(sql)).rejects.toMatchObject({ code: 'CONFLICT' })
		await world.sidecar.stop()
		expect(await codes()).toEqual(expect.arrayContaining(['slotInactive', 'captureStopped']))
		await sql`select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()`
		expect(await codes()).toEqual(expect.arrayContaining(['slotMissing']))
	})

	test('uninstalling leaves the tables as they were, and no trace but the vault', async () => {
		await using ground = await captureGround(cluster)
		const { sql } = ground
		await sql`create table public.a (id int primary key)`
		const before = await tableState(sql)
		const sidecar = await ground.start()
		await protectTable(sql, await oidOf(sql, 'a'))
		await sidecar.stop()
		await uninstall(sql)
		await uninstall(sql)
		expect(await tableState(sql)).toEqual(before)
		expect(await sql`select nspname from pg_namespace where nspname = 'reprieve'`).toEqual([])
		expect(await sql`select pubname from pg_publication`).toEqual([])
		expect(await sql`select evtname from pg_event_trigger`).toEqual([])
		expect(await sql`select slot_name from pg_replication_slots where database = current_database()`).toEqual([])
	})
})
