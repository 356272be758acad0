import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readConfig, startService } from '@reprieve/service'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { archivedRows } from '../capture/ground.ts'
import { launch, reprieve } from '../e2e/launcher.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { type DebeziumGround, debeziumGround, publishToDebezium } from './ground.ts'

const sidecar = fileURLToPath(new URL('../../apps/sidecar/', import.meta.url))
const adminKey = 'the-admin-key-of-a-test-0123456789'

/** What an operator sets, and nothing else. */
function environment(ground: DebeziumGround): Record<string, string> {
	return {
		DATABASE_URL: ground.url,
		KAFKA_BROKERS: ground.brokers.join(','),
		REPRIEVE_CONNECT_URL: ground.connectUrl,
		REPRIEVE_DATA: ground.data,
		REPRIEVE_KAFKA_PREFIX: ground.prefix,
		REPRIEVE_VAULT: ground.vaultUrl,
	}
}

function archiver(ground: DebeziumGround) {
	return launch([join(sidecar, 'src/main.ts'), 'archive', '--source', 'debezium'], environment(ground))
}

async function archivedIds({ vault }: DebeziumGround, table: string): Promise<number[]> {
	return (await archivedRows(vault, table)).map((row) => Number(row.values.id)).sort((a, b) => a - b)
}

function numbers(count: number): number[] {
	return Array.from({ length: count }, (_, place) => place + 1)
}

test.runIf(hasKafka)(
	'the command of the docs archives what the printed connector, posted by curl as it is, writes',
	{ timeout: 90_000 },
	async () => {
		await using ground = await debeziumGround()
		const { sql, prefix, slot } = ground
		await sql`create table public.city (id int primary key)`
		await sql`insert into public.city select generate_series(1, 20)`
		// What pnpm runs for `pnpm --filter @reprieve/sidecar start archive --source debezium`.
		const { scripts } = JSON.parse(readFileSync(join(sidecar, 'package.json'), 'utf8'))
		const env = { PATH: process.env.PATH ?? '', ...environment(ground) }
		const command = `${scripts.start} archive --source debezium`
		const child = spawn('sh', ['-c', command], { cwd: sidecar, env, detached: true, stdio: 'ignore' })
		const ended = once(child, 'close')
		try {
			await until(() => hasSlot(ground), 'the archiver to make the slot', 40_000)
			await publishToDebezium(ground, 'public.city')
			const { username, password } = new URL(ground.url)
			const passwordFile = join(ground.data, 'connect.properties')
			writeFileSync(passwordFile, `database.password=${decodeURIComponent(password)}\n`)
			const options = ['--user', username, '--replication', '1', '--password-file', passwordFile]
			const printed = await printConnector(ground, options)
			expect(printed).not.toContain(`"${password}"`)
			const curl = ['-sS', '--fail-with-body', '-H', 'Content-Type: application/json', '-d', '@-']
			execFileSync('curl', [...curl, `${ground.connectUrl}connectors`], { input: printed })
			await until(async () => {
				const found = await sql`select from pg_replication_slots where slot_name = ${slot} and active`
				return found.length > 0
			}, 'the connector to stream')
			await sql`delete from public.city`
			await ground.barrier()
			expect(await archivedIds(ground, 'city')).toEqual(numbers(20))
			await until(async () => {
				const [state] = await sql<{ findings: { code: string }[] }[]>`select findings from reprieve.capture_state`
				return state?.findings.map(({ code }) => code).join() === 'brokerAcknowledges'
			}, 'the connector to be without findings')
			expect(JSON.parse(printed).name).toBe(prefix)
		} finally {
			process.kill(-(child.pid as number), 'SIGTERM')
			await ended
		}
		await until(async () => {
			const [state] = await sql`select state from reprieve.capture_state`
			return state?.state === 'stopped'
		}, 'the archiver to say that it stopped')
	},
)

/** A slot that is being made is there already, and active, but has no position yet. */
async function hasSlot({ sql, slot }: DebeziumGround): Promise<boolean> {
	const found = await sql`
		select from pg_replication_slots where slot_name = ${slot} and confirmed_flush_lsn is not null and not active`
	return found.length > 0
}

/** Runs `reprieve debezium config` beside a service, which knows the slot. */
async function printConnector(ground: DebeziumGround, options: string[]): Promise<string> {
	const config = readConfig({
		...{ DATABASE_URL: ground.url, REPRIEVE_DATA: ground.data, REPRIEVE_PORT: '0', REPRIEVE_ADMIN_KEY: adminKey },
	})
	const service = await startService(config, { vault: ground.vault, log: pino({ level: 'silent' }) })
	try {
		const env = { ...environment(ground), REPRIEVE_URL: service.url, REPRIEVE_API_KEY: adminKey }
		const { code, output, errors } = await reprieve(env, 'debezium', 'config', ...options)
		expect([code, errors]).toEqual([0, ''])
		return output
	} finally {
		await service.stop()
	}
}

test.runIf(hasKafka)(
	'of two archivers the second takes over from one that hangs and gives way to none that wakes up; and the other way',
	{ timeout: 150_000 },
	async () => {
		await using ground = await debeziumGround()
		const { sql } = ground
		await sql`create table public.city (id int primary key)`
		await sql`insert into public.city select generate_series(1, 50)`
		await using first = archiver(ground)
		await until(() => hasSlot(ground), 'the first archiver to make the slot', 40_000)
		await publishToDebezium(ground, 'public.city')
		await ground.connect()
		await sql`delete from public.city where id <= 10`
		await ground.barrier()
		await using second = archiver(ground)
		await sql`delete from public.city where id <= 20`
		await ground.barrier()
		first.child.kill('SIGSTOP')
		await sql`delete from public.city where id <= 30`
		await ground.barrier()
		first.child.kill('SIGCONT')
		await sql`delete from public.city where id <= 40`
		await ground.barrier()
		second.child.kill('SIGKILL')
		await second.ended
		await sql`delete from public.city where id <= 50`
		await ground.barrier()
		expect(await archivedIds(ground, 'city')).toEqual(numbers(50))
		expect(await ground.troubles()).toEqual({ incidents: [], gaps: [] })
		const [receipts] = await sql`select count(*)::int from reprieve.receipts where rows <> '{}'`
		expect(receipts?.count).toBe(5)
	},
)

test.runIf(hasKafka)(
	'two interleaved transactions of 100,000 deletes in three tables, through three partitions each, pass in bounded memory',
	{ timeout: 150_000 },
	async () => {
		await using ground = await debeziumGround()
		const { sql } = ground
		const tables = ['city', 'town', 'village']
		const rows = 34_000
		for (const table of tables) {
			await sql.unsafe(`create table public.${table} (id int primary key, note text)`)
			await sql.unsafe(
				`insert into public.${table} select g, repeat(md5(g::text), 40) from generate_series(1, ${rows}) g`,
			)
		}
		await using process = archiver(ground)
		await until(() => hasSlot(ground), 'the archiver to make the slot', 40_000)
		await publishToDebezium(ground, ...tables.map((table) => `public.${table}`))
		await ground.connect({
			'topic.creation.groups': 'rows',
			'topic.creation.rows.include': `${ground.prefix}\\.public\\..*`,
			'topic.creation.rows.partitions': '3',
			'topic.creation.rows.replication.factor': '1',
		})
		let peak = 0
		const watching = setInterval(() => {
			const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${process.child.pid}/status`, 'utf8'))
			peak = Math.max(peak, Number(resident?.[1]) / 1024)
		}, 100)
		try {
			await sql.begin(async (odd) => {
				await sql.begin(async (even) => {
					for (const table of tables) {
						await odd.unsafe(`delete from public.${table} where id % 2 = 1`)
						await even.unsafe(`delete from public.${table} where id % 2 = 0`)
					}
				})
			})
			await ground.barrier(120_000)
		} finally {
			clearInterval(watching)
		}
		for (const table of tables) expect(await archivedIds(ground, table)).toEqual(numbers(rows))
		expect(await ground.troubles()).toEqual({ incidents: [], gaps: [] })
		// 550 to 650 MiB, and the same for twice the rows; the events alone are 200 MiB of JSON.
		expect(peak).toBeLessThan(800)
	},
)
