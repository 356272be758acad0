import { expect, test } from 'vitest'
import { startCluster } from '../support/postgres.ts'
import { archivedRows, type CaptureGround, captureGround, publish } from './ground.ts'

test('a delete that comes with its key only is an incident and a gap, never a row of NULLs', async () => {
	await using ground = await table()
	const { sql, vault } = ground
	await sql`alter table public.t replica identity default`
	await sql`delete from public.t`
	await ground.barrier()
	expect(await incidents(ground)).toEqual([{ code: 'PARTIAL_IMAGE', table: 't', stops_capture: false }])
	expect(await sql`select "table", reason from reprieve.capture_gaps`).toEqual([
		{ table: 't', reason: 'deleted rows came with their key columns only' },
	])
	expect(await archivedRows(vault, 't')).toEqual([])
})

test('a rewritten foreign key that comes without its old value is an incident and a gap', async () => {
	await using ground = await table()
	const { sql } = ground
	await sql`create table public.child (id int primary key, t int references public.t on delete set null)`
	await sql`insert into public.child values (1, 1)`
	await sql`alter publication reprieve_relink add table public.child`
	await sql`delete from public.t where id = 1`
	await ground.barrier()
	expect(await incidents(ground)).toEqual([{ code: 'IDENTITY_NOT_FULL', table: 'child', stops_capture: false }])
	expect((await sql`select "table" from reprieve.capture_gaps`)[0]?.table).toBe('child')
})

test('a TRUNCATE is an incident and a gap', async () => {
	await using ground = await table()
	await ground.sql`truncate public.t`
	await ground.barrier()
	expect(await incidents(ground)).toEqual([{ code: 'TRUNCATED', table: 't', stops_capture: false }])
	expect((await ground.sql`select "table" from reprieve.capture_gaps`).length).toBe(1)
})

test('a TRUNCATE behind the tag of the guard that deleted the rows is none', async () => {
	await using ground = await table()
	const { sql, vault } = ground
	await sql.begin(async (tx) => {
		await tx`delete from public.t`
		await tx`select pg_logical_emit_message(true, 'reprieve.truncate', 'public.t'::regclass::oid::text)`
		await tx`truncate public.t`
	})
	await ground.barrier()
	expect(await incidents(ground)).toEqual([])
	expect((await archivedRows(vault, 't')).length).toBe(3)
})

test('a tag for another table does not excuse a TRUNCATE', async () => {
	await using ground = await table()
	await ground.sql.begin(async (tx) => {
		await tx`select pg_logical_emit_message(true, 'reprieve.truncate', 'reprieve.canary'::regclass::oid::text)`
		await tx`truncate public.t`
	})
	await ground.barrier()
	expect((await incidents(ground)).map((incident) => incident.code)).toEqual(['TRUNCATED'])
})

test('a row may have NULL in a column that became NOT NULL with its transaction or after it', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	for (const name of ['t', 'u']) {
		await sql.unsafe(`create table public.${name} (id int, note text)`)
		await sql.unsafe(`insert into public.${name} values (1, null), (2, 'b'), (null, 'c')`)
	}
	const first = await ground.start()
	await publish(ground, 'public.t', 'public.u')
	await sql.begin(async (tx) => {
		await tx`delete from public.t where note is null or id is null`
		await tx`alter table public.t alter note set not null, add primary key (id)`
	})
	await ground.barrier()
	await first.stop()
	await sql`delete from public.u where note is null or id is null`
	await sql`alter table public.u alter note set not null, add primary key (id)`
	await ground.start()
	await ground.barrier()
	expect(await sql`select code, message from reprieve.incidents`).toEqual([])
	for (const name of ['t', 'u']) {
		expect((await archivedRows(vault, name)).map(({ values }) => values)).toEqual([
			{ id: '1', note: null },
			{ id: null, note: 'c' },
		])
	}
})

test('a row may have NULL in a column that a transaction with a lower number made NOT NULL after it', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, 'a'), (2, null)`
	const first = await ground.start()
	await publish(ground, 'public.t')
	await sql`delete from public.t where id = 1`
	await ground.barrier()
	await first.stop()
	await sql.begin(async (tx) => {
		await tx`select pg_current_xact_id()`
		await sql`delete from public.t`
		await tx`alter table public.t alter note set not null`
	})
	await ground.start()
	await ground.barrier()
	expect(await sql`select code, message from reprieve.incidents`).toEqual([])
	expect((await archivedRows(vault, 't')).map(({ values }) => values.note)).toEqual(['a', null])
})

test('a row may have NULL in a column whose NOT NULL has not been validated', async () => {
	await using cluster = await startCluster(18)
	await using ground = await captureGround(cluster)
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, null), (2, 'b'), (3, null)`
	await sql`alter table public.t add constraint noted not null note not valid`
	const first = await ground.start()
	await publish(ground, 'public.t')
	await sql`delete from public.t where id in (2, 3)`
	await ground.barrier()
	await first.stop()
	await sql`analyze public.t`
	await sql`delete from public.t where id = 1`
	await sql`alter table public.t validate constraint noted`
	await ground.start()
	await ground.barrier()
	expect(await sql`select code, message from reprieve.incidents`).toEqual([])
	expect((await archivedRows(vault, 't')).map(({ values }) => values.note)).toEqual(['b', null, null])
})

test('a NULL in a column that was NOT NULL before the transaction is an incident from its first row on', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, null), (2, null)`
	await ground.start()
	await publish(ground, 'public.t')
	await sql.begin(async (tx) => {
		await tx`delete from public.t where id = 1`
		await tx`update pg_attribute set attnotnull = true where attrelid = 'public.t'::regclass and attname = 'note'`
	})
	await ground.barrier()
	expect(await incidents(ground)).toEqual([])
	await sql`delete from public.t`
	await ground.barrier()
	expect(await incidents(ground)).toEqual([{ code: 'NULL_IN_NOT_NULL', table: 't', stops_capture: false }])
})

test('a column that may be one of two stops capture, with its table and what to do', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	await sql`create table public.t (id int primary key, gone int, a text)`
	await sql`alter table public.t drop gone`
	await sql`insert into public.t values (1, '007')`
	await (await ground.start()).stop()
	await publish(ground, 'public.t')
	await sql`delete from public.t`
	await sql`alter table public.t alter a type int using a::int`
	const sidecar = await ground.start()
	await expect(sidecar.ended).rejects.toMatchObject({ code: 'SCHEMA_DRIFT' })
	const [incident] = await sql`select code, "table", remedy, stops_capture from reprieve.incidents`
	expect(incident).toMatchObject({ code: 'SCHEMA_DRIFT', table: 't', stops_capture: true })
	expect(incident?.remedy).toContain('pnpm start --adopt')
	expect((await sql`select state from reprieve.capture_state`)[0]?.state).toBe('stopped')
})

async function table(): Promise<CaptureGround> {
	const ground = await captureGround()
	await ground.sql`create table public.t (id int primary key, note text not null)`
	await ground.sql`insert into public.t values (1, 'a'), (2, 'b'), (3, 'c')`
	await ground.start()
	await publish(ground, 'public.t')
	return ground
}

async function incidents({ sql }: CaptureGround) {
	return [...(await sql`select code, "table", stops_capture from reprieve.incidents order by at`)]
}
