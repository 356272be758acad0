import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseLsn } from '@reprieve/contracts'
import { fileStore, openVault, type Store, type Vault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { archivedRows, type CaptureGround, captureGround, publish } from './ground.ts'

test('a capture killed at any moment loses nothing and archives nothing twice', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key, note text)`
	await sql`create table public.u (id int primary key, note text)`
	for (const table of ['t', 'u']) {
		await sql.unsafe(`insert into public.${table} select n, repeat('x', n % 300) from generate_series(1, 12000) n`)
	}
	await (await ground.start()).stop()
	await publish(ground, 'public.t', 'public.u')
	for (let round = 0; round < 6; round++) {
		const child = spawnCapture(ground)
		await streaming(child)
		const killed = killSoon(child)
		for (let at = round * 2_000 + 1; at <= (round + 1) * 2_000; at += 100) {
			await sql.begin(async (tx) => {
				await tx`delete from public.t where id between ${at} and ${at + 99}`
				await tx`delete from public.u where id between ${at} and ${at + 99}`
			})
		}
		await killed
	}
	await ground.start({ leaseMs: 1_000 })
	await ground.barrier()
	for (const table of ['t', 'u']) {
		const ids = (await archivedRows(vault, table)).map((row) => Number(row.values.id))
		expect(ids.length, table).toBe(12_000)
		expect(new Set(ids).size, table).toBe(12_000)
	}
	const transactions = await Array.fromAsync(vault.transactions.read({}))
	const positions = transactions.map((transaction) => transaction.position.lsn)
	expect(new Set(positions).size).toBe(positions.length)
	expect(transactions.filter((transaction) => transaction.rows.t).length).toBe(120)
	expect((await sql`select count(*)::int as n from reprieve.receipts`)[0]?.n).toBe(120)
	expect(await sql`select code, message from reprieve.incidents`).toEqual([])
	expect(await sql`select reason from reprieve.capture_gaps`).toEqual([])
}, 180_000)

test('while the vault cannot be written, nothing is acknowledged; afterwards everything is', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 100)`
	let isBroken = false
	const vault = breakable(ground, () => isBroken)
	await ground.start({ backoffMs: 20, keepaliveMs: 0, keepaliveBytes: 0, lingerMs: 0 }, { vault })
	await publish(ground, 'public.t')
	await ground.barrier()
	isBroken = true
	const before = await position(ground)
	await sql`delete from public.t`
	const committed = await position(ground)
	await until(async () => (await refusals(vault)) > 3, 'refused writes')
	expect(await confirmed(ground)).toBeLessThanOrEqual(before)
	isBroken = false
	await ground.barrier()
	expect((await archivedRows(ground.vault, 't')).length).toBe(100)
	await until(async () => (await confirmed(ground)) > committed, 'the acknowledgement')
})

test('while another folder lies where the vault was mounted, nothing is acknowledged; afterwards everything is', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	const folder = fileURLToPath(ground.vaultUrl)
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 100)`
	let sessions = 0
	const onState = (state: string) => {
		if (state === 'starting') sessions += 1
	}
	const config = { backoffMs: 20, keepaliveMs: 0, keepaliveBytes: 0, lingerMs: 0 }
	await ground.start(config, { onState })
	await publish(ground, 'public.t')
	await ground.barrier()
	await rename(folder, `${folder}-away`)
	await mkdir(folder)
	const [before, begun] = [await position(ground), sessions]
	await sql`delete from public.t`
	const committed = await position(ground)
	await until(() => sessions > begun + 3, 'sessions that the vault refuses')
	expect(await confirmed(ground)).toBeLessThanOrEqual(before)
	expect((await readdir(folder, { recursive: true })).filter((path) => path.includes('/public/'))).toEqual([])
	await rm(folder, { recursive: true })
	await rename(`${folder}-away`, folder)
	await ground.barrier()
	expect((await archivedRows(ground.vault, 't')).length).toBe(100)
	await until(async () => (await confirmed(ground)) > committed, 'the acknowledgement')
	expect(await sql`select code, message from reprieve.incidents`).toEqual([])
})

test('the slot never stands beyond the vault, whatever step fails', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 300)`
	let writes = 0
	// Two of eleven, unevenly: an even step would meet the same write of every session.
	const vault = breakable(ground, () => (++writes * 7) % 11 < 2)
	const sidecar = await ground.start({ backoffMs: 5, lingerMs: 0 }, { vault })
	await publish(ground, 'public.t')
	for (let id = 1; id <= 300; id += 10) {
		await sql`delete from public.t where id between ${id} and ${id + 9}`
		const [row] = await sql`select id from reprieve.lineages`
		const slot = await confirmed(ground)
		expect(slot <= ((await ground.vault.transactions.archived(row?.id)) ?? 0n)).toBe(true)
	}
	await ground.barrier()
	await sidecar.stop()
	const ids = (await archivedRows(ground.vault, 't')).map((row) => row.values.id)
	expect(ids.length).toBe(300)
	expect(new Set(ids).size).toBe(300)
}, 120_000)

test('a lost connection is taken up again', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 10)`
	await ground.start({ backoffMs: 5 })
	await publish(ground, 'public.t')
	await sql`select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database()`
	await sql`delete from public.t`
	await ground.barrier()
	expect((await archivedRows(ground.vault, 't')).length).toBe(10)
})

test('a second capture waits until the first has gone, then goes on', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 2)`
	const first = await ground.start({ leaseMs: 1_000 })
	await publish(ground, 'public.t')
	const second = ground.start({ leaseMs: 1_000, backoffMs: 20 })
	await sql`delete from public.t where id = 1`
	await ground.barrier()
	await first.stop()
	await second
	await sql`delete from public.t where id = 2`
	await ground.barrier()
	expect((await archivedRows(ground.vault, 't')).map((row) => row.values.id)).toEqual(['1', '2'])
})

/** Any moment will do: what is asserted holds for all of them. */
async function killSoon(child: ChildProcess): Promise<void> {
	await new Promise((resolve) => setTimeout(resolve, Math.random() * 400))
	child.kill('SIGKILL')
	await once(child, 'exit')
}

function spawnCapture({ url, vaultUrl, name }: CaptureGround): ChildProcess {
	const script = fileURLToPath(new URL('./child.ts', import.meta.url))
	const config = { databaseUrl: url, vaultUrl, database: name, lingerMs: 5, acknowledgeMs: 0, bufferBytes: 64 * 1024 }
	return spawn(process.execPath, [script, JSON.stringify(config)], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function streaming(child: ChildProcess): Promise<void> {
	for await (const chunk of child.stdout ?? []) if (String(chunk).includes('streaming')) return
	throw new Error('the capture ended before it streamed')
}

const refused = new WeakMap<Vault, { count: number }>()

/** The ground's vault over a store whose writes fail while `isBroken` says so. */
function breakable(ground: CaptureGround, isBroken: () => boolean): Vault {
	const count = { count: 0 }
	const store: Store = fileStore(fileURLToPath(ground.vaultUrl))
	const refusing = new Proxy(store, {
		get(target, property, receiver) {
			const member = Reflect.get(target, property, receiver)
			if (typeof member !== 'function' || !/put|write/i.test(String(property))) return member
			return async (...args: unknown[]) => {
				if (!isBroken()) return await member.apply(target, args)
				count.count++
				throw new Error('the disk is full')
			}
		},
	})
	const vault = openVault({ store: refusing, database: ground.name })
	refused.set(vault, count)
	return vault
}

async function refusals(vault: Vault): Promise<number> {
	return refused.get(vault)?.count ?? 0
}

async function confirmed({ sql, name }: CaptureGround): Promise<bigint> {
	const [slot] = await sql`select confirmed_flush_lsn::text as lsn from pg_replication_slots where database = ${name}`
	return parseLsn(slot?.lsn)
}

async function position({ sql }: CaptureGround): Promise<bigint> {
	return parseLsn((await sql`select pg_current_wal_insert_lsn()::text as lsn`)[0]?.lsn)
}
