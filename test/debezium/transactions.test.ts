import { expect, test } from 'vitest'
import { archivedRows } from '../capture/ground.ts'
import { startConnect } from '../support/kafka/connect.ts'
import { hasKafka, sharedBroker } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { debeziumGround, publishToDebezium } from './ground.ts'

test.runIf(hasKafka)(
	'moves, relinks, key changes, claims and TRUNCATE mean what they mean to own capture',
	async () => {
		await using ground = await debeziumGround()
		const { sql, vault } = ground
		await sql`create table public.event (id int, day date, note text, primary key (id, day)) partition by range (day)`
		await sql`create table public.event_a partition of public.event for values from ('2026-01-01') to ('2026-02-01')`
		await sql`create table public.event_b partition of public.event for values from ('2026-02-01') to ('2026-03-01')`
		await sql`create table public.team (id int primary key, name text)`
		await sql`create table public.player (id int primary key, team int references public.team on delete set null)`
		await sql`create table public."E Mixed.Case" (id int primary key)`
		await ground.start()
		await publishToDebezium(
			ground,
			'public.event_a',
			'public.event_b',
			'public.team',
			'public.player',
			'public."E Mixed.Case"',
		)
		await ground.connect()
		await sql`insert into public.event values (1, '2026-01-05', 'moves'), (2, '2026-01-06', 'goes'), (3, '2026-01-07', 'renamed')`
		await sql`insert into public.team values (1, 'a'), (2, 'b')`
		await sql`insert into public.player values (1, 1), (2, 2)`
		await sql`insert into public."E Mixed.Case" values (7)`
		await sql`update public.event set day = '2026-02-05' where id = 1`
		await sql`update public.event set id = 30 where id = 3`
		await sql`update public.team set id = 20 where id = 2`.catch(() => {})
		await sql.begin(async (tx) => {
			await tx`select pg_logical_emit_message(true, 'reprieve.claim', '{"actor":"ann","reason":"tidy up"}')`
			await tx`delete from public.event where id = 2`
			await tx`delete from public.team where id = 1`
			await tx`delete from public."E Mixed.Case"`
		})
		await sql`truncate public.player`
		await ground.barrier()
		const events = await archivedRows(vault, 'event')
		expect(events.map(({ op, leaf, values }) => [op, leaf, values.id, values.note])).toEqual([
			['move', 'event_a', '1', 'moves'],
			['delete', 'event_a', '2', 'goes'],
		])
		expect((await archivedRows(vault, 'team')).map((row) => row.values)).toEqual([{ id: '1', name: 'a' }])
		expect((await archivedRows(vault, 'E Mixed.Case')).map((row) => row.values)).toEqual([{ id: '7' }])
		const [relink] = await archivedRows(vault, 'player')
		expect(relink).toMatchObject({ op: 'relink', values: { id: '1', team: '1' }, rewritten: { team: null } })
		const transactions = []
		for await (const one of vault.transactions.read({})) transactions.push(one)
		const claimed = transactions.find((one) => one.claim)
		expect(claimed).toMatchObject({
			claim: { actor: 'ann', reason: 'tidy up' },
			rows: { event: { deleted: 1 }, team: { deleted: 1 }, player: { relinked: 1 } },
		})
		const incidents = await sql`select code, "table" from reprieve.incidents`
		expect([...incidents]).toEqual([{ code: 'TRUNCATED', table: 'player' }])
	},
)

test.runIf(hasKafka)(
	'an archiver that ends is taken up where it ended, and a second one waits for its turn',
	async () => {
		await using ground = await debeziumGround()
		const { sql, vault } = ground
		await sql`create table public.city (id int primary key)`
		await sql`insert into public.city select generate_series(1, 30)`
		const first = await ground.start()
		await publishToDebezium(ground, 'public.city')
		await ground.connect()
		const second = ground.start()
		await sql`delete from public.city where id <= 10`
		await ground.barrier()
		await first.stop()
		await sql`delete from public.city where id <= 20`
		await second
		await sql`delete from public.city where id <= 30`
		await ground.barrier()
		expect((await archivedRows(vault, 'city')).map((row) => Number(row.values.id))).toEqual(numbers(30))
		const receipts = await sql`select rows from reprieve.receipts where rows <> '{}'`
		expect(receipts).toHaveLength(3)
	},
)

test.runIf(hasKafka)(
	'Connect killed, and stopped, in the middle of a transaction loses nothing and brings nothing twice',
	{ timeout: 120_000 },
	async () => {
		const { brokers } = await sharedBroker()
		await using worker = await startConnect({ brokers })
		await using ground = await debeziumGround({ brokers, url: worker.url })
		const { sql, vault } = ground
		const rows = 20_000
		for (const table of ['city', 'village', 'town']) {
			await sql.unsafe(`create table public.${table} (id int primary key, note text)`)
			await sql.unsafe(`insert into public.${table} select g, repeat('x', 100) from generate_series(1, ${rows}) g`)
		}
		await ground.start({ sidecar: { bufferBytes: 2 * 1024 * 1024 } })
		await publishToDebezium(ground, 'public.city', 'public.village', 'public.town')
		await ground.connect()
		await sql`delete from public.town where id <= 50`
		for (const [table, end] of [
			['city', worker.kill],
			['village', worker.stop],
		] as const) {
			await sql.begin(async (tx) => {
				await tx.unsafe(`delete from public.${table} where id <= ${rows / 2}`)
				await tx`delete from public.town where id <= 100`
				await tx.unsafe(`delete from public.${table}`)
			})
			await ground.sentAtLeast(table, rows / 4)
			await end()
			await worker.restart()
			await ground.connect()
			await ground.barrier()
		}
		for (const table of ['city', 'village']) {
			expect((await archivedRows(vault, table)).map((row) => Number(row.values.id))).toEqual(numbers(rows))
		}
		expect((await archivedRows(vault, 'town')).map((row) => Number(row.values.id))).toEqual(numbers(100))
		expect(await ground.troubles()).toEqual({ incidents: [], gaps: [] })
	},
)

test.runIf(hasKafka)('wrong settings are findings that close the gate, and none shows a password', async () => {
	await using ground = await debeziumGround()
	const { sql } = ground
	await ground.start({ connectUrl: ground.connectUrl })
	await ground.connect({
		'time.precision.mode': 'adaptive',
		'table.include.list': 'public.city',
		'skipped.operations': undefined,
	})
	const found = await until(async () => {
		const [state] = await sql<{ findings: { code: string; message: string }[] }[]>`
			select findings from reprieve.capture_state`
		const findings = state?.findings ?? []
		return findings.some((finding) => finding.code === 'connectorSetting') ? findings : undefined
	}, 'findings of the connector')
	const settings = found.filter((finding) => finding.code === 'connectorSetting').map((finding) => finding.message)
	expect(settings).toEqual([
		`connector ${ground.prefix}: skipped.operations is not set, not none`,
		`connector ${ground.prefix}: time.precision.mode is adaptive, not structured`,
		`connector ${ground.prefix}: table.include.list is set: it may take changes or values away`,
	])
	expect(JSON.stringify(found)).not.toContain(new URL(ground.url).password)
})

test.runIf(hasKafka)('a value that does not come whole is an incident and a gap, never another value', async () => {
	await using ground = await debeziumGround()
	const { sql, vault } = ground
	await sql`create table public.list (id int primary key, items text[])`
	await sql`insert into public.list values (1, '{a,b}')`
	await ground.start()
	await publishToDebezium(ground, 'public.list')
	await ground.connect()
	await sql`delete from public.list`
	await ground.barrier()
	expect(await archivedRows(vault, 'list')).toEqual([])
	expect([...(await sql`select code, "table" from reprieve.incidents`)]).toEqual([
		{ code: 'LOSSY_VALUE', table: 'list' },
	])
	expect([...(await sql`select "table" from reprieve.capture_gaps`)]).toEqual([{ table: 'list' }])
})

test.runIf(hasKafka)('receipts that were lost between vault and control schema come back, once', async () => {
	await using ground = await debeziumGround()
	const { sql, vault } = ground
	await sql`create table public.city (id int primary key)`
	await sql`insert into public.city select generate_series(1, 20)`
	const first = await ground.start({ sidecar: { acknowledgeMs: 600_000 } })
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	await sql`delete from public.city where id <= 10`
	await ground.barrier()
	await sql`delete from public.city where id > 10`
	await ground.barrier()
	await first.stop()
	await sql`delete from reprieve.receipts where position > (select min(position) from reprieve.receipts)`
	await ground.start()
	await ground.barrier()
	const [found] = await sql`select count(*)::int as receipts from reprieve.receipts where rows <> '{}'`
	expect(found).toEqual({ receipts: 2 })
	expect((await archivedRows(vault, 'city')).map((row) => Number(row.values.id))).toEqual(numbers(20))
})

function numbers(count: number): number[] {
	return Array.from({ length: count }, (_, place) => place + 1)
}
