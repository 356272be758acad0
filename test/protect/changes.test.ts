import { migrateControl } from '@reprieve/control'
import {
	keepLeavesProtected,
	openSessions,
	openStream,
	protectNewLeaves,
	protectTable,
	publicationNames,
	type Sql,
	unprotectTable,
} from '@reprieve/postgres'
import type { Cluster } from '@reprieve/standalone/embedded'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgresVersions, startCluster } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { migratedDatabase, oidOf, pretendCapture, protect, streamedKinds, tableState } from './support.ts'

describe.each(postgresVersions)('protecting on PostgreSQL %i', (version) => {
	let cluster: Cluster & AsyncDisposable
	beforeAll(async () => {
		cluster = await startCluster(version)
	})
	afterAll(async () => {
		await cluster.stop()
	})

	const family = [
		'create table public.a (id int primary key)',
		'create table public.casc (id int primary key, a int references public.a on delete cascade)',
		'create table public.deep (id int primary key, c int references public.casc on delete cascade)',
		'create table public.nulled (id int primary key, a int references public.a on delete set null)',
		'create table public.behind (id int primary key, n int references public.nulled on delete cascade)',
		'create table public.held (id int primary key, a int references public.a)',
		'create table public.part (id int primary key, a int references public.a on delete cascade) partition by range (id)',
		'create table public.part1 partition of public.part for values from (0) to (10)',
		'create table public.part2 partition of public.part for values from (10) to (20) partition by range (id)',
		'create table public.part21 partition of public.part2 for values from (10) to (20)',
		'create table public.heir (primary key (id)) inherits (public.casc)',
	]

	test('the closure gets identity, the memberships it needs and a guard on each leaf, and nobody else does', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		for (const statement of family) await sql.unsafe(statement)
		const before = await tableState(sql)
		expect(await protect(sql, 'a')).toEqual([])
		const guard = 'triggers:reprieve_guard_truncateA'
		expect(await tableState(sql)).toEqual([
			`public.a f - ${guard} publications:reprieve`,
			`public.behind d - triggers: publications:`,
			`public.casc f - ${guard} publications:reprieve`,
			`public.deep f - ${guard} publications:reprieve`,
			`public.heir f - ${guard} publications:reprieve`,
			`public.held d - triggers: publications:`,
			`public.nulled f - ${guard} publications:reprieve,reprieve_relink`,
			`public.part d - triggers: publications:`,
			`public.part1 f - ${guard} publications:reprieve,reprieve_move`,
			`public.part2 d - triggers: publications:`,
			`public.part21 f - ${guard} publications:reprieve,reprieve_move`,
		])
		expect((await protectTable(sql, await oidOf(sql, 'a'))).changes).toEqual([])
		await unprotectTable(sql, await oidOf(sql, 'a'))
		expect(await tableState(sql)).toEqual(before)
	})

	test('unprotecting puts default, nothing, index and full identity back exactly', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		for (const name of ['d', 'n', 'i', 'f'])
			await sql.unsafe(`create table public.${name} (id int primary key, u int not null)`)
		await sql`create table public.r (id int primary key) partition by range (id)`
		await sql`create table public.r1 partition of public.r for values from (0) to (10)`
		await sql`create unique index "odd Index" on public.i (u)`
		await sql`alter table public.n replica identity nothing`
		await sql`alter table public.i replica identity using index "odd Index"`
		await sql`alter table public.f replica identity full`
		await sql`alter table public.r1 replica identity nothing`
		const before = await tableState(sql)
		for (const name of ['d', 'n', 'i', 'f', 'r']) expect(await protect(sql, name)).toEqual([])
		expect(await tableState(sql)).not.toEqual(before)
		for (const name of ['d', 'n', 'i', 'f', 'r']) await unprotectTable(sql, await oidOf(sql, name))
		expect(await tableState(sql)).toEqual(before)
	})

	test('a table that another one needs stays protected, and loses only what nobody needs', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		for (const statement of family) await sql.unsafe(statement)
		await protect(sql, 'nulled')
		const asked = await tableState(sql)
		await protect(sql, 'a')
		await expect(unprotectTable(sql, await oidOf(sql, 'deep'))).rejects.toMatchObject({ code: 'CONFLICT' })
		await unprotectTable(sql, await oidOf(sql, 'a'))
		expect(await tableState(sql)).toEqual(asked)
	})

	test('a new partition is protected by upkeep, its root is pending meanwhile and the gap is recorded', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.r (id int primary key) partition by range (id)`
		await sql`create table public.r1 partition of public.r for values from (0) to (10)`
		await protect(sql, 'r')
		await sql`update reprieve.protected_tables set status = 'ready', protected_since = now()`
		expect(await protectNewLeaves(sql)).toEqual([])
		await sql`create table public.r2 partition of public.r for values from (10) to (20)`
		expect(await protectNewLeaves(sql)).toEqual([])
		expect(await sql`select name, status from reprieve.protected_tables order by name`).toEqual([
			{ name: 'r', status: 'pending' },
			{ name: 'r1', status: 'ready' },
			{ name: 'r2', status: 'pending' },
		])
		expect(await sql`select "table", reason from reprieve.capture_gaps`).toEqual([
			{ table: 'r', reason: 'r2 came later and was not published' },
		])
		expect(await tableState(sql)).toContain(
			'public.r2 f - triggers:reprieve_guard_truncateA publications:reprieve,reprieve_move',
		)
	})

	test('upkeep reads the closures again only when the catalog has changed, and as long as something is refused', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.r (id int primary key) partition by range (id)`
		await sql`create table public.r1 partition of public.r for values from (0) to (10)`
		await protect(sql, 'r')
		let asked = 0
		const counted = new Proxy(sql, {
			apply: (target, _, [text, ...values]) => {
				asked += Array.isArray(text) && 'raw' in text && text.length === values.length + 1 ? 1 : 0
				return Reflect.apply(target, undefined, [text, ...values])
			},
		}) as Sql
		const keepLeaves = keepLeavesProtected(counted)
		const queriesOf = async () => {
			const before = asked
			const codes = (await keepLeaves()).map((finding) => finding.code)
			return { codes, isAlone: asked - before === 1 }
		}
		expect(await queriesOf()).toEqual({ codes: [], isAlone: false })
		expect(await queriesOf()).toEqual({ codes: [], isAlone: true })

		await sql`create table public.r2 partition of public.r for values from (10) to (20)`
		expect(await queriesOf()).toMatchObject({ isAlone: false })
		expect(await sql`select from reprieve.protected_tables where name = 'r2'`).toHaveLength(1)
		expect(await queriesOf()).toMatchObject({ isAlone: false })
		expect(await queriesOf()).toMatchObject({ isAlone: true })

		await sql`create table public.heir (id int references public.r on delete cascade)`
		expect(await queriesOf()).toEqual({ codes: ['noKey'], isAlone: false })
		expect(await queriesOf()).toEqual({ codes: ['noKey'], isAlone: false })
		await sql`alter table public.heir add primary key (id)`
		expect(await queriesOf()).toEqual({ codes: [], isAlone: false })

		await sql.begin((tx) => [tx`set local reprieve.allow = 'on'`, tx`drop table public.heir`])
		expect(await queriesOf()).toEqual({ codes: [], isAlone: false })
		expect(await sql`select from reprieve.protected_tables where name = 'heir'`).toEqual([])
	})

	test('a dropped partition is forgotten, and the gap is recorded', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.r (id int primary key) partition by range (id)`
		await sql`create table public.r1 partition of public.r for values from (0) to (10)`
		await protect(sql, 'r')
		await sql.begin((tx) => [tx`set local reprieve.allow = 'on'`, tx`drop table public.r1`])
		expect(await protectNewLeaves(sql)).toEqual([])
		expect(await sql`select name from reprieve.protected_tables`).toEqual([{ name: 'r' }])
		expect(await sql`select "table", reason from reprieve.capture_gaps`).toEqual([
			{ table: 'r', reason: 'r1 was dropped with the rows that it held' },
		])
	})

	test('a table that is asked for later brings no gap to one that was protected before', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		for (const statement of family) await sql.unsafe(statement)
		await protect(sql, 'nulled')
		await sql`update reprieve.protected_tables set status = 'ready', protected_since = now()`
		await protect(sql, 'a')
		expect(await sql`select from reprieve.capture_gaps`).toHaveLength(0)
		expect(await sql`select name from reprieve.protected_tables where status = 'ready'`).toEqual([{ name: 'behind' }])
	})

	test('TRUNCATE is refused, of a leaf too, and by a session with replica role', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.r (id int primary key) partition by range (id)`
		await sql`create table public.r1 partition of public.r for values from (0) to (10)`
		await sql`insert into public.r values (1)`
		await protect(sql, 'r')
		for (const statement of ['truncate public.r', 'truncate public.r1']) {
			await expect(sql.unsafe(statement)).rejects.toMatchObject({
				code: '55000',
				hint: expect.stringContaining('DELETE'),
			})
			const asReplica = sql.begin((tx) => [tx`set local session_replication_role = replica`, tx.unsafe(statement)])
			await expect(asReplica).rejects.toMatchObject({ code: '55000' })
		}
		expect(await sql`select id from public.r`).toHaveLength(1)
	})

	test('TRUNCATE archives the rows where that was chosen, with a message for each leaf', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.r (id int primary key) partition by range (id)`
		await sql`create table public.r1 partition of public.r for values from (0) to (10)`
		await sql`create table public.r2 partition of public.r for values from (10) to (20)`
		await protect(sql, 'r', { truncate: 'archive' })
		await sql`insert into public.r values (1), (2), (11)`
		await pretendCapture(sql)
		await sql`truncate public.r`
		expect(await streamedKinds(sql)).toMatchObject({ D: 3, M: 2, T: 1 })
		await sql`insert into public.r values (1), (11)`
		await sql.begin((tx) => [tx`set local session_replication_role = replica`, tx`truncate public.r1`])
		expect(await streamedKinds(sql)).toMatchObject({ D: 1, M: 1, T: 1 })
	})

	test('an archiving TRUNCATE wants children first, fresh rows, and leaves nothing behind', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.a (id int primary key)`
		await sql`create table public.b (id int primary key, a int references public.a on delete set null deferrable initially deferred)`
		await sql`create table public.c (id int primary key, a int references public.a deferrable initially deferred)`
		await protect(sql, 'a', { truncate: 'archive' })
		await sql`insert into public.a values (1)`
		await sql`insert into public.b values (1, 1)`
		await sql`insert into public.c values (1, 1)`
		const refused = { code: '55000', hint: expect.stringMatching(/Name public\.[bc] before public\.a/) }
		await expect(sql`truncate public.a, public.b, public.c`).rejects.toMatchObject(refused)
		await expect(sql`truncate public.b, public.c, public.a`).rejects.toMatchObject(refused)
		await sql`delete from public.c`
		await pretendCapture(sql)
		await sql`truncate public.b, public.c, public.a`
		expect(await streamedKinds(sql)).toMatchObject({ D: 2, M: 2, T: 1 })

		await sql`insert into public.b values (1, null)`
		const repeatable = sql.begin('isolation level repeatable read', (tx) => tx`truncate public.b`)
		await expect(repeatable).rejects.toMatchObject({ code: '55000', hint: 'Use READ COMMITTED.' })
		await sql.unsafe('create function public.f() returns trigger language plpgsql as $$begin return null; end$$')
		await sql`create trigger keep before delete on public.b for each row execute function public.f()`
		await expect(sql`truncate public.b`).rejects.toMatchObject({ message: expect.stringContaining('kept rows') })
	})

	test('dropping or weakening a protected table is refused unless the session allows it', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.t (id int primary key)`
		await sql`create table public.other (id int primary key)`
		await sql`create publication theirs for table public.other`
		await protect(sql, 't')
		const weakening = [
			'drop table public.t',
			'drop schema public cascade',
			'alter table public.t replica identity default',
			'alter table public.t disable trigger user',
			'alter table public.t enable trigger reprieve_guard_truncate',
			'drop trigger reprieve_guard_truncate on public.t',
			'alter publication reprieve drop table public.t',
			'alter publication reprieve set table public.other',
			"alter publication reprieve set (publish = 'insert')",
			'alter publication reprieve rename to x',
			'drop publication reprieve',
		]
		const before = await tableState(sql)
		for (const statement of weakening) {
			await expect(sql.unsafe(statement), statement).rejects.toMatchObject({
				code: '55000',
				hint: expect.stringContaining('reprieve.allow'),
			})
		}
		expect(await tableState(sql)).toEqual(before)
		await sql`alter table public.t add column extra int`
		await sql`alter publication theirs drop table public.other`
		await sql`drop table public.other`
		await sql.begin((tx) => [tx`set local reprieve.allow = 'on'`, tx`drop table public.t`])
	})

	test('two protects at once give one result', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		for (const statement of family) await sql.unsafe(statement)
		const oids = [await oidOf(sql, 'a'), await oidOf(sql, 'casc'), await oidOf(sql, 'a')]
		const all = await Promise.all(oids.map((oid) => protectTable(sql, oid)))
		expect(all.map((one) => one.refusals)).toEqual([[], [], []])
		expect(await sql`select count(*)::int as n from reprieve.protected_tables where why = 'asked'`).toEqual([{ n: 2 }])
	})

	test('a busy table is not waited for longer than asked, and nothing of the closure is changed', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		for (const statement of family) await sql.unsafe(statement)
		const before = await tableState(sql)
		const busy = await sql.reserve()
		await busy`begin`
		await busy`lock table public.deep in row exclusive mode`
		expect(await protect(sql, 'a', { lockTimeoutMs: 900 })).toEqual(['lockTimeout'])
		expect(await tableState(sql)).toEqual(before)
		await busy`commit`
		busy.release()
		expect(await protect(sql, 'a')).toEqual([])
	})

	test('the application is never the victim of a deadlock with protecting', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		for (const statement of family) await sql.unsafe(statement)
		await sql`insert into public.a values (1)`
		await sql`insert into public.deep values (1, null)`
		const application = await sql.reserve()
		await application`begin`
		await application`lock table public.deep in row exclusive mode`
		const protecting = protect(sql, 'a', { lockTimeoutMs: 10_000 })
		await until(
			() =>
				sql`select from pg_locks l join pg_stat_activity a on a.pid = l.pid
					where l.mode = 'AccessExclusiveLock' and l.relation = 'public.a'::regclass and l.granted
						and clock_timestamp() - a.xact_start > interval '1.3 seconds'`.then((rows) => rows.length > 0),
			'protecting holds the parent, longer than it would check for deadlocks itself',
		)
		await application`delete from public.a where id = 5`
		await application`commit`
		application.release()
		expect(await protecting).toEqual([])
	})

	test('a role that does not own the table is refused, and row security is a finding', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.t (id int primary key)`
		await sql`alter table public.t enable row level security`
		const role = `r_${database.name}`
		await sql.unsafe(`create role ${role} login password 'x'`)
		await sql
			.unsafe(`grant all on schema reprieve to ${role}; grant all on all tables in schema reprieve to ${role}`)
			.simple()
		await sql.unsafe(`grant create on database ${database.name} to ${role}`)
		const other = postgres(database.url.replace(/\/\/[^@]*@/, `//${role}:x@`), {
			max: 1,
			fetch_types: false,
			onnotice: () => {},
			connection: { row_security: 'off' } as object,
		})
		try {
			const before = await tableState(sql)
			expect(await protect(other as unknown as typeof sql, 't')).toEqual(['rowSecurity', 'notOwner'])
			expect(await tableState(sql)).toEqual(before)
		} finally {
			await other.end()
			await sql.unsafe(`drop owned by ${role}`)
			await sql.unsafe(`drop role ${role}`)
		}
	})

	test('a slot may be read while tables are protected', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.t (id int primary key)`
		await protect(sql, 't')
		await pretendCapture(sql)
		const [slot] = await sql<
			{ name: string }[]
		>`select slot_name as name from pg_replication_slots where database = current_database()`
		const stream = await openStream({
			url: database.url,
			slot: slot?.name ?? '',
			publications: publicationNames,
			onFrame: () => {},
		})
		await sql`create table public.u (id int primary key)`
		expect(await protect(sql, 'u')).toEqual([])
		await stream.close()
	})
})

test('a database in SQL_ASCII is refused', async () => {
	await using cluster = await startCluster(18)
	const admin = postgres(cluster.url, { max: 1, onnotice: () => {} })
	await admin`create database plain encoding 'SQL_ASCII' template template0 locale 'C'`
	await admin.end()
	const url = cluster.url.replace(/\/[^/]*$/, '/plain')
	await migrateControl(url)
	const sql = openSessions(url, { applicationName: 'test' })
	await sql`create table public.t (id int primary key)`
	expect(await protect(sql, 't')).toEqual(['encoding'])
	await sql`delete from public.t`
	await sql.end()
})
