import { migrateControl } from '@reprieve/control'
import { openSessions, protectTable, readGate, readRestorability, unprotectTable } from '@reprieve/postgres'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { startCluster } from '../support/postgres.ts'
import { migratedDatabase, oidOf, pretendCapture, protect, tableState } from './support.ts'

test('a server without logical log is refused, and nothing is changed', async () => {
	await using cluster = await startCluster(18, { wal_level: 'replica' })
	await using database = await migratedDatabase(cluster)
	const { sql } = database
	await sql`create table public.t (id int primary key)`
	const before = await tableState(sql)
	expect(await protect(sql, 't')).toEqual(['walLevel'])
	expect(await tableState(sql)).toEqual(before)
	expect(await sql`select from pg_publication`).toHaveLength(0)
})

test('a slot that may be lost closes the gate, and a lost one says so', async () => {
	await using cluster = await startCluster(18, {
		max_slot_wal_keep_size: '32MB',
		max_wal_size: '64MB',
		idle_replication_slot_timeout: '1h',
	})
	await using database = await migratedDatabase(cluster)
	const { sql } = database
	await sql`create table public.t (id int primary key, t text)`
	await protect(sql, 't')
	await pretendCapture(sql)
	const oids = [await oidOf(sql, 't')]
	const codes = async () => (await readGate(sql, oids)).map((finding) => finding.code)
	expect(await codes()).toEqual(['slotInactive', 'safeWalSize', 'pending'])
	const all = (await readRestorability(sql, oids)).get(oids[0] ?? 0)
	expect(all?.findings.map((finding) => finding.code)).toEqual([
		'pending',
		'slotInactive',
		'safeWalSize',
		'idleTimeout',
	])
	for (let i = 0; i < 6; i++) {
		await sql`select pg_logical_emit_message(false, 'fill', repeat('x', 16000000))`
		await sql`select pg_switch_wal()`
		await sql`checkpoint`
	}
	expect(await codes()).toContain('slotLost')
})

test('an owner without superuser protects, and is told what it may not install', async () => {
	await using cluster = await startCluster(18)
	const admin = postgres(cluster.url, { max: 1, onnotice: () => {} })
	await admin`create role app login password 'x'`
	await admin`create database app owner app`
	await admin.end()
	const url = cluster.url.replace(/\/\/[^@]*@/, '//app:x@').replace(/\/[^/]*$/, '/app')
	await migrateControl(url)
	const sql = openSessions(url, { applicationName: 'test' })
	await sql`create schema s`
	await sql`create table s.t (id int primary key)`
	await sql`insert into s.t values (1)`
	const { refusals, limits } = await protectTable(sql, await oidOf(sql, 't', 's'), { truncate: 'archive' })
	expect(refusals).toEqual([])
	expect(limits).toEqual([
		'event trigger reprieve_guard_drop needs a superuser: DROP and ALTER are not refused',
		'event trigger reprieve_guard_alter needs a superuser: DROP and ALTER are not refused',
	])
	await sql`truncate s.t`
	await unprotectTable(sql, await oidOf(sql, 't', 's'))
	await sql`truncate s.t`
	await sql.end()
})
