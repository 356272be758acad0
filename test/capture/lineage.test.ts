import { formatLsn, parseLsn } from '@reprieve/contracts'
import { adopt } from '@reprieve/sidecar'
import { openVaultAt } from '@reprieve/vault'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { startCluster } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { changeRows, column, sourceTable } from '../vault/rows.ts'
import { archivedRows, type CaptureGround, captureGround, publish } from './ground.ts'

test('a quiet database releases its log, and only what the vault has made durable', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await ground.start({ keepaliveMs: 0, keepaliveBytes: 0 })
	await sql`create table public.unpublished (id int, note text)`
	await sql`insert into public.unpublished select n, repeat('x', 500) from generate_series(1, 5000) n`
	const written = parseLsn((await sql`select pg_current_wal_lsn()::text as lsn`)[0]?.lsn)
	await until(async () => (await confirmed(ground)) >= written, 'the acknowledgement of a keepalive')
	const lineage = (await sql`select id from reprieve.lineages`)[0]?.id
	expect((await vault.transactions.archived(lineage)) ?? 0n).toBeGreaterThanOrEqual(written)
})

test('a keepalive is no reason for a write while little log is held back', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	await ground.start({ keepaliveMs: 0, keepaliveBytes: 64 * 1024 * 1024, heartbeatMs: 20 })
	const before = await confirmed(ground)
	const heartbeats = async () => (await sql`select heartbeat_at from reprieve.capture_state`)[0]?.heartbeat_at
	const first = await until(heartbeats, 'a heartbeat')
	await until(async () => (await heartbeats()) > first, 'another heartbeat')
	expect(await confirmed(ground)).toBe(before)
})

test('a restart of an idle capture finds no gap', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	for (let round = 0; round < 3; round++) {
		const sidecar = await ground.start({ keepaliveMs: 0, keepaliveBytes: 0 })
		await ground.barrier()
		await sidecar.stop()
	}
	expect(await sql`select code, message from reprieve.incidents`).toEqual([])
	expect(await sql`select reason from reprieve.capture_gaps`).toEqual([])
})

test('a slot that is still being made has no place that the vault could end at', async () => {
	await using cluster = await startCluster(18)
	await using ground = await captureGround(cluster)
	const { sql, vault } = ground
	const isMaking = async () => (await sql`select from pg_replication_slots where confirmed_flush_lsn is null`).length
	await sql.begin(async (older) => {
		await older`select pg_current_xact_id()`
		void ground.start()
		await until(isMaking, 'a slot that waits for the older transaction')
		const lines: string[] = []
		void ground.start({ backoffMs: 20 }, { log: pino({}, { write: (line) => void lines.push(line) }) })
		await until(() => lines.some((line) => line.includes('is still being made')), 'the second capture to see it')
		expect(await vault.lineages()).toEqual([])
	})
	// What commits before the slot is made does not come out of it.
	await until(async () => (await isMaking()) === 0, 'the slot')
	await ground.barrier()
	expect(await sql`select message from reprieve.incidents`).toEqual([])
	expect(await sql`select reason from reprieve.capture_gaps`).toEqual([])
})

test('a slot that somebody moved is a recorded gap and an incident; capture goes on behind it', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await startedAndStopped(ground)
	await sql`delete from public.t where id = 1`
	const moved = (
		await sql`
		select end_lsn::text as lsn from pg_replication_slot_advance((select slot from reprieve.lineages), pg_current_wal_lsn())`
	)[0]?.lsn
	await ground.start()
	await sql`delete from public.t where id = 2`
	await ground.barrier()
	expect((await archivedRows(vault, 't')).map((row) => row.values.id)).toEqual(['2'])
	const [gap] = await sql`select from_position::text as from, to_position::text as to from reprieve.capture_gaps`
	expect(gap?.to).toBe(moved)
	expect(parseLsn(gap?.from)).toBeLessThan(parseLsn(moved))
	expect((await sql`select code from reprieve.incidents`)[0]?.code).toBe('CAPTURE_GAP')
})

test('a slot that is gone is made again, with a gap', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await startedAndStopped(ground)
	await sql`select pg_drop_replication_slot(slot) from reprieve.lineages`
	await ground.start()
	await sql`delete from public.t where id = 2`
	await ground.barrier()
	expect((await archivedRows(vault, 't')).length).toBe(1)
	expect((await sql`select reason from reprieve.capture_gaps`)[0]?.reason).toContain('was gone')
})

test('a database that was rewound behind an acknowledgement stops capture until it is adopted', async () => {
	await using ground = await captureGround()
	const { sql, vault, url } = ground
	const sidecar = await ground.start()
	await ground.barrier()
	const old = await sql`select nonce, previous_nonce from reprieve.lineages`
	await ground.barrier()
	await ground.barrier()
	await sidecar.stop()
	await sql`update reprieve.lineages set nonce = ${old[0]?.nonce}, previous_nonce = ${old[0]?.previous_nonce}`
	const rewound = await ground.start()
	await expect(rewound.ended).rejects.toMatchObject({ incident: { code: 'DATABASE_REWOUND', stopsCapture: true } })
	expect((await sql`select code, remedy from reprieve.incidents`)[0]?.remedy).toContain('pnpm start --adopt')

	const { lineage } = await adopt({ databaseUrl: url }, { vault, principal: 'ann' })
	await ground.start()
	await ground.barrier()
	const open = await sql`select id from reprieve.lineages where closed_at is null`
	expect(open.map((row) => row.id)).toEqual([lineage])
	expect((await vault.lineages()).filter((known) => !known.closedAt).map((known) => known.id)).toEqual([lineage])
	expect(await sql`select lineage from reprieve.capture_gaps`).toEqual([{ lineage }])
	expect((await sql`select resolved_by from reprieve.incidents`)[0]?.resolved_by).toBe('ann')
})

test('a vault whose folder is not mounted at the start stops capture, which goes on in the right one', async () => {
	await using ground = await captureGround()
	const { sql, vault, vaultUrl, name } = ground
	await startedAndStopped(ground)
	const unmounted = openVaultAt(`${vaultUrl}/unmounted`, name)
	const stopped = await ground.start({}, { vault: unmounted })
	await expect(stopped.ended).rejects.toMatchObject({ incident: { code: 'VAULT_UNKNOWN', stopsCapture: true } })
	expect((await sql`select remedy from reprieve.incidents`)[0]?.remedy).toMatch(/is mounted, and start again.*adopt/)
	await ground.start()
	await sql`delete from public.t where id = 2`
	await ground.barrier()
	expect((await archivedRows(vault, 't')).length).toBe(1)
	expect(await sql`select reason from reprieve.capture_gaps`).toEqual([])
})

test('a capture that waits its turn is not misled by acknowledgements between two readings', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	const sidecar = await ground.start()
	await ground.barrier()
	const earlier = await vault.lineages()
	await ground.barrier()
	await ground.barrier()
	await sidecar.stop()
	const readings = [earlier]
	const behind = { ...vault, lineages: async () => readings.shift() ?? (await vault.lineages()) }
	await ground.start({}, { vault: behind })
	await ground.barrier()
	expect(readings).toEqual([])
	expect(await sql`select code from reprieve.incidents`).toEqual([])
})

test('a clone of the database is noticed by its OID', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	await startedAndStopped(ground)
	const [lineage] = await ground.vault.lineages()
	if (!lineage) throw new Error('no lineage')
	await ground.vault.putLineage({ ...lineage, databaseOid: lineage.databaseOid + 1 })
	const clone = await ground.start()
	await expect(clone.ended).rejects.toMatchObject({ incident: { code: 'LINEAGE_CHANGED' } })
	expect((await sql`select state from reprieve.capture_state`)[0]?.state).toBe('stopped')
})

test('a transaction that is delivered again must be the one that the vault has at its position', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	const sidecar = await startedAndStopped(ground)
	await sidecar.stop()
	await sql`delete from public.t where id = 1`
	const [lineage] = await vault.lineages()
	const source = lineage?.id as string
	const end = parseLsn((await sql`select pg_current_wal_insert_lsn()::text as lsn`)[0]?.lsn)
	await vault.transactions.append({ source, position: end + 1n, transactions: [] })
	const again = await ground.start()
	await expect(again.ended).rejects.toMatchObject({ incident: { code: 'TRANSACTION_CHANGED' } })
	expect(formatLsn(await confirmed(ground))).not.toBe(formatLsn(end + 1n))
})

test('rows that a table has at a position of another transaction stop capture', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await startedAndStopped(ground)
	await sql`delete from public.t where id = 1`
	const [begin] = await sql`
		select encode(substring(data from 2 for 8), 'hex') as position from pg_logical_slot_peek_binary_changes(
			(select slot from reprieve.lineages), null, null, 'proto_version', '1', 'publication_names', 'reprieve')
		where get_byte(data, 0) = ascii('B') order by lsn desc limit 1`
	const position = BigInt(`0x${begin?.position}`)
	const [lineage] = await vault.lineages()
	const table = vault.table({ schema: 'public', name: 't' })
	const source = sourceTable([column(1, 'id', 'integer')])
	const rows = changeRows(source, [{ cells: ['7'], position }])
	await table.commit({ source: lineage?.id ?? '', position, segments: await table.write(rows) })
	const again = await ground.start()
	await expect(again.ended).rejects.toMatchObject({ incident: { code: 'TRANSACTION_CHANGED' } })
})

test('receipts that the database lost before their acknowledgement are written again', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	const sidecar = await ground.start({ acknowledgeMs: 3_600_000 })
	await ground.barrier()
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1)`
	await publish(ground, 'public.t')
	await sql`delete from public.t`
	await ground.barrier()
	await sidecar.stop()
	await sql`delete from reprieve.receipts`
	await ground.start()
	await until(async () => (await sql`select rows from reprieve.receipts`).length === 1, 'the receipt again')
	expect((await archivedRows(ground.vault, 't')).length).toBe(1)
})

test('a table renamed before its receipted deletions come again is neither an incident nor archived twice', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	const sidecar = await ground.start({ acknowledgeMs: 3_600_000 })
	await ground.barrier()
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1), (2)`
	await publish(ground, 'public.t')
	await sql`delete from public.t where id = 1`
	await ground.barrier()
	await sidecar.stop()
	await sql`alter table public.t rename to renamed`
	await sql`delete from public.renamed`
	await ground.start()
	await ground.barrier()
	expect((await archivedRows(vault, 't')).map((row) => row.values.id)).toEqual(['1'])
	expect((await archivedRows(vault, 'renamed')).map((row) => row.values.id)).toEqual(['2'])
	expect(await sql`select code from reprieve.incidents`).toEqual([])
})

async function startedAndStopped(ground: CaptureGround) {
	const { sql } = ground
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1), (2)`
	const sidecar = await ground.start()
	await publish(ground, 'public.t')
	await ground.barrier()
	await sidecar.stop()
	return sidecar
}

async function confirmed({ sql, name }: CaptureGround): Promise<bigint> {
	const [slot] = await sql`select confirmed_flush_lsn::text as lsn from pg_replication_slots where database = ${name}`
	return parseLsn(slot?.lsn)
}
