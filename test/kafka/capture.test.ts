import { fileURLToPath } from 'node:url'
import { type Frame, frameTopic, type RowsFrame, type TransactionsFrame, transactionsTopic } from '@reprieve/cdc'
import { formatLsn, parseLsn, ReprieveError } from '@reprieve/contracts'
import { fileStore, openVault, type Store, type Vault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { publish } from '../capture/ground.ts'
import { startBroker, startCluster3 } from '../support/kafka/broker.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { type KafkaGround, kafkaGround } from './ground.ts'

const testKafka = test.runIf(hasKafka)

const topicOf = ({ settings }: KafkaGround, name: string) => frameTopic(settings.prefix, { schema: 'public', name })

async function rowsOf(ground: KafkaGround, name: string, partition?: number): Promise<RowsFrame[]> {
	return (await ground.frames(topicOf(ground, name), partition)) as RowsFrame[]
}

async function transactionsOf(ground: KafkaGround): Promise<TransactionsFrame[]> {
	return (await ground.frames(transactionsTopic(ground.settings.prefix))) as TransactionsFrame[]
}

/** Waits until a transaction committed now was sent. */
async function sent(ground: KafkaGround): Promise<void> {
	const nonce = crypto.randomUUID()
	await ground.sql`select pg_logical_emit_message(true, 'reprieve.barrier', ${nonce})`
	await until(async () => {
		const frames = await transactionsOf(ground)
		return frames.some((frame) => frame.transactions.some((one) => one.archived?.barriers.includes(nonce)))
	}, `barrier ${nonce} in Kafka`)
}

const idsOf = (frames: RowsFrame[]) =>
	frames.flatMap(({ rows }) => {
		const column = rows.columns[0]
		return Array.from({ length: rows.count }, (_, row) =>
			Number(Buffer.from(column?.bytes.subarray(column.offsets[row], column.offsets[row + 1]) ?? []).toString()),
		)
	})

testKafka(
	'deleted rows are in the topic of their table, and the transaction names them',
	async () => {
		await using ground = await kafkaGround()
		const { sql } = ground
		await sql`create table public.t (id int primary key, note text)`
		await sql`insert into public.t select n, 'note ' || n from generate_series(1, 5000) n`
		await ground.capture()
		await publish(ground, 'public.t')
		await sql`delete from public.t where id <= 10`
		await sql`delete from public.t`
		await sent(ground)
		const frames = await rowsOf(ground, 't')
		expect(idsOf(frames)).toEqual(Array.from({ length: 5000 }, (_, at) => at + 1))
		const shares = (await transactionsOf(ground)).flatMap((frame) => frame.transactions.flatMap((one) => one.shares))
		expect(shares.map(({ table, partition, rows }) => ({ table, partition, rows }))).toEqual([
			{ table: 't', partition: 0, rows: 10 },
			{ table: 't', partition: 0, rows: 4990 },
		])
	},
	120_000,
)

testKafka(
	'every frame names the place of the one before it, the first the start of its session',
	async () => {
		await using ground = await kafkaGround()
		const { sql } = ground
		await sql`create table public.t (id int primary key)`
		await sql`insert into public.t select generate_series(1, 300)`
		const first = await ground.capture()
		await publish(ground, 'public.t')
		for (let id = 1; id <= 300; id += 100) {
			await sql`delete from public.t where id between ${id} and ${id + 99}`
			await sent(ground)
		}
		await first.stop()
		await ground.capture()
		await sent(ground)
		const frames = await rowsOf(ground, 't')
		expect(new Set(frames.map(({ header }) => header.session)).size).toBe(2)
		for (const [at, frame] of frames.entries()) {
			const before = frames[at - 1]
			const isFirst = before?.header.session !== frame.header.session
			if (isFirst) expect(frame.header.predecessor.ordinal).toBe(0xffff_ffff)
			else expect(frame.header.predecessor).toEqual(finalOf(before))
		}
		expect(idsOf(frames.filter(({ header }) => header.session === frames[0]?.header.session))).toEqual(ids(1, 300))
	},
	120_000,
)

testKafka(
	'a transaction larger than memory is sent after its commit, whole and in order, and no more is held',
	async () => {
		await using ground = await kafkaGround()
		const { sql } = ground
		await sql`create table public.t (id int primary key, note text)`
		await sql`create table public.u (id int primary key, note text)`
		for (const name of ['t', 'u'])
			await sql.unsafe(`insert into public.${name} select n, repeat('x', 200) from generate_series(1, 20000) n`)
		await ground.capture({ sidecar: { bufferBytes: 256 * 1024 }, kafka: { partitions: 3 } })
		await publish(ground, 'public.t', 'public.u')
		await sql.begin(async (tx) => {
			await tx`delete from public.t where id <= 19000`
			await tx`delete from public.u`
			await tx`delete from public.t`
		})
		await sent(ground)
		for (const [name, count] of [
			['t', 20_000],
			['u', 20_000],
		] as const) {
			const found: number[] = []
			for (const partition of [0, 1, 2]) {
				const frames = await rowsOf(ground, name, partition)
				const placed = idsOf(frames)
				expect(placed).toEqual([...placed].sort((a, b) => a - b))
				expect(frames.map(({ isComplete }) => isComplete)).toEqual(frames.map((_, at) => at === frames.length - 1))
				expect(frames.length).toBeGreaterThan(1)
				found.push(...placed)
			}
			expect(found.length).toBe(count)
			expect(new Set(found).size).toBe(count)
		}
		const whole = (await transactionsOf(ground))
			.flatMap((frame) => frame.transactions)
			.find((one) => one.shares.length > 0)
		expect(whole?.shares.length).toBe(6)
		expect(whole?.shares.reduce((sum, share) => sum + share.rows, 0)).toBe(40_000)
		expect(whole?.archived?.rows).toEqual({ t: { deleted: 20_000, relinked: 0 }, u: { deleted: 20_000, relinked: 0 } })
	},
	120_000,
)

testKafka(
	'a row larger than a record is cut and comes together again',
	async () => {
		await using ground = await kafkaGround()
		const { sql } = ground
		await sql`create table public.t (id int primary key, note text)`
		await sql`insert into public.t select n, string_agg(md5(n::text || m::text), '') from generate_series(1, 3) n, generate_series(1, 60000) m group by n`
		await ground.capture({ maxRecordBytes: 200_000 })
		await publish(ground, 'public.t')
		const before = await sql`select id, md5(note) as digest from public.t order by id`
		await sql`delete from public.t`
		await sent(ground)
		const frames = await rowsOf(ground, 't')
		const after = await Promise.all(
			frames.flatMap(({ rows }) =>
				Array.from({ length: rows.count }, async (_, row) => {
					const note = rows.columns[1]
					const text = Buffer.from(note?.bytes.subarray(note.offsets[row], note.offsets[row + 1]) ?? []).toString()
					return (await sql`select md5(${text}::text) as digest`)[0]?.digest
				}),
			),
		)
		expect(after.sort()).toEqual(before.map((row) => row.digest).sort())
	},
	120_000,
)

testKafka(
	'records fit the brokers, and a topic that takes less is named',
	async () => {
		await using broker = await startBroker({ settings: { 'message.max.bytes': '50000' } })
		await using ground = await kafkaGround(broker)
		const { sql, kafka } = ground
		await sql`create table public.t (id int primary key, note text)`
		await sql`create table public.u (id int primary key)`
		await sql`insert into public.t select n, string_agg(md5(n::text || m::text), '') from generate_series(1, 2) n, generate_series(1, 9000) m group by n`
		await sql`insert into public.u values (1)`
		await ground.capture()
		await publish(ground, 'public.t', 'public.u')
		await sql`delete from public.t`
		await sent(ground)
		expect(idsOf(await rowsOf(ground, 't')).sort()).toEqual([1, 2])
		const admin = kafka.admin()
		await admin.connect()
		const configEntries = [{ name: 'max.message.bytes', value: '2000' }]
		await admin.createTopics({ topics: [{ topic: topicOf(ground, 'u'), configEntries }] })
		await admin.disconnect()
		await sql`delete from public.u`
		await until(() => ground.warnings.some((line) => line.includes('takes 2000 bytes a record')), 'the warning')
	},
	120_000,
)

testKafka(
	'the slot stands where the vault ends, however much the broker has',
	async () => {
		await using ground = await kafkaGround()
		const { sql, vault } = ground
		await sql`create table public.t (id int primary key)`
		await sql`insert into public.t select generate_series(1, 10)`
		await ground.capture()
		await publish(ground, 'public.t')
		const [lineage] = await sql`select id from reprieve.lineages`
		const archived = await vault.transactions.archived(lineage?.id)
		await sql`delete from public.t`
		await sent(ground)
		expect(await confirmed(ground)).toBe(archived)
		const end = (await transactionsOf(ground)).at(-1)?.received as bigint
		await vault.transactions.append({ source: lineage?.id, position: end, transactions: [] })
		await until(async () => (await confirmed(ground)) === end, 'the slot to follow the vault')
		const [row] = await sql`select nonce_at from reprieve.lineages`
		expect(parseLsn(row?.nonce_at)).toBe(end)
	},
	120_000,
)

testKafka(
	'replicated brokers release the log where the operator says so; one broker does not',
	async () => {
		await using cluster = await startCluster3()
		for (const { brokers, isReplicated } of [
			{ brokers: cluster.brokers, isReplicated: true },
			{ brokers: undefined, isReplicated: false },
		]) {
			await using ground = await kafkaGround(brokers && { brokers })
			const { sql, vault } = ground
			await sql`create table public.t (id int primary key)`
			await sql`insert into public.t select generate_series(1, 10)`
			await ground.capture({ kafka: { acknowledge: 'broker' } })
			await publish(ground, 'public.t')
			const findings = async () => (await sql`select findings from reprieve.capture_state`)[0]?.findings ?? []
			if (!isReplicated)
				await until(
					async () => (await findings()).some((one: { code: string }) => one.code === 'topicReplication'),
					'finding',
				)
			const [lineage] = await sql`select id from reprieve.lineages`
			const archived = (await vault.transactions.archived(lineage?.id)) as bigint
			await sql`delete from public.t`
			await sent(ground)
			if (isReplicated) {
				await until(async () => {
					await sql`select pg_logical_emit_message(true, 'reprieve.barrier', 'another')`
					return (await confirmed(ground)) > archived
				}, 'the slot to follow the brokers')
				expect(await vault.transactions.archived(lineage?.id)).toBe(archived)
				expect(await findings()).toEqual([])
			} else expect(await confirmed(ground)).toBe(archived)
		}
	},
	180_000,
)

testKafka(
	'topics that forget close the gate',
	async () => {
		await using ground = await kafkaGround()
		const { sql, kafka } = ground
		await sql`create table public.t (id int primary key)`
		await ground.capture()
		const codes = async () =>
			((await sql`select findings from reprieve.capture_state`)[0]?.findings ?? []).map(
				(one: { code: string }) => one.code,
			)
		const admin = kafka.admin()
		await admin.connect()
		const alter = (name: string, value: string) =>
			admin.alterConfigs({
				validateOnly: false,
				resources: [{ type: 2, name: transactionsTopic(ground.settings.prefix), configEntries: [{ name, value }] }],
			})
		await alter('cleanup.policy', 'compact')
		await until(async () => (await codes()).includes('topicSettings'), 'the finding of compaction')
		await alter('retention.ms', '1000')
		await until(async () => (await codes()).includes('topicRetention'), 'the finding of retention')
		await alter('retention.ms', '-1')
		await until(async () => (await codes()).length === 0, 'no finding')
		await admin.disconnect()
	},
	120_000,
)

testKafka(
	'frames that an archiver misses are sent again from where the slot stands',
	async () => {
		await using ground = await kafkaGround()
		const { sql } = ground
		await sql`create table public.t (id int primary key)`
		await sql`insert into public.t select generate_series(1, 10)`
		await ground.capture()
		await publish(ground, 'public.t')
		await sql`delete from public.t`
		await sent(ground)
		await sql`insert into reprieve.incidents (id, code, message, remedy, stops_capture, at)
		values ('hole', 'FRAMES_MISSING', 'frames are missing', '', false, clock_timestamp())`
		await until(async () => (await sessionsOf(await rowsOf(ground, 't'))).length === 2, 'a second session')
		const frames = await rowsOf(ground, 't')
		for (const session of sessionsOf(frames))
			expect(idsOf(frames.filter(({ header }) => header.session === session))).toEqual(ids(1, 10))
		await sent(ground)
		expect(sessionsOf(await rowsOf(ground, 't')).length).toBe(2)
	},
	120_000,
)

testKafka(
	'what the slot let go is looked for in Kafka: there it is on its way, else it is a gap',
	async () => {
		await using ground = await kafkaGround()
		const { sql, vault, name } = ground
		await sql`create table public.t (id int primary key)`
		await sql`insert into public.t select generate_series(1, 10)`
		const gaps = async () => (await sql`select reason from reprieve.capture_gaps`).map((row) => row.reason)
		const advance = async () => {
			await sql`select pg_replication_slot_advance(slot_name, pg_current_wal_insert_lsn())
			from pg_replication_slots where database = ${name}`
			return await confirmed(ground)
		}
		const stopped = async (capture: { stop(): Promise<void> }) => {
			await capture.stop()
			await until(
				async () => (await sql`select from pg_replication_slots where database = ${name} and not active`).count,
				'slot',
			)
		}
		const first = await ground.capture()
		await publish(ground, 'public.t')
		await sql`delete from public.t where id <= 5`
		await sent(ground)
		const [lineage] = await sql`select id from reprieve.lineages`
		const archived = await vault.transactions.archived(lineage?.id)
		const end = (await transactionsOf(ground)).at(-1)?.received as bigint
		await stopped(first)
		await sql`select pg_replication_slot_advance(slot_name, ${formatLsn(end)}::pg_lsn) from pg_replication_slots where database = ${name}`

		const second = await ground.capture()
		await sent(ground)
		expect(await gaps()).toEqual([])
		expect(await vault.transactions.archived(lineage?.id)).toBe(archived)
		await stopped(second)

		const inProcess = await ground.start()
		await expect(inProcess.ended).rejects.toMatchObject({ incident: { code: 'CHANNEL_NOT_DRAINED' } })
		expect(await gaps()).toEqual([])
		expect(await vault.transactions.archived(lineage?.id)).toBe(archived)

		await sql`delete from public.t`
		await advance()
		await ground.capture()
		await until(async () => (await gaps()).length === 1, 'the gap')
		expect(await vault.transactions.archived(lineage?.id)).toBe(archived)
	},
	120_000,
)

testKafka(
	'frames are sent on while the vault is away, and the slot stands until it is back',
	async () => {
		await using ground = await kafkaGround()
		const { sql } = ground
		await sql`create table public.t (id int primary key)`
		await sql`insert into public.t select generate_series(1, 10)`
		const { away, vault } = unreliableVault(ground)
		await ground.capture({ vault, sidecar: { leaseMs: 1_000 } })
		await publish(ground, 'public.t')
		await sql`delete from public.t where id = 1`
		await sent(ground)
		const before = await confirmed(ground)
		away.is = true
		const lapsed = performance.now() + 3_000
		for (let id = 2; id <= 9; id++) {
			await until(() => performance.now() > lapsed - (9 - id) * 400, 'the lease to lapse')
			await sql`delete from public.t where id = ${id}`
			await sent(ground)
		}
		expect(away.refused).toBeGreaterThan(3)
		expect(sessionsOf(await rowsOf(ground, 't'))).toHaveLength(1)
		expect(await confirmed(ground)).toBe(before)
		away.is = false
		const [lineage] = await sql`select id from reprieve.lineages`
		const end = (await transactionsOf(ground)).at(-1)?.received as bigint
		await ground.vault.transactions.append({ source: lineage?.id, position: end, transactions: [] })
		await until(async () => (await confirmed(ground)) === end, 'the slot to follow the vault')
		expect(sessionsOf(await rowsOf(ground, 't'))).toHaveLength(1)
	},
	120_000,
)

testKafka(
	'a table that is vacuumed or altered while the vault is away is sent on',
	async () => {
		await using ground = await kafkaGround()
		const { sql } = ground
		await sql`create table public.t (id int primary key)`
		await sql`insert into public.t select generate_series(1, 4)`
		const { away, vault } = unreliableVault(ground)
		await ground.capture({ vault })
		await publish(ground, 'public.t')
		await sql`delete from public.t where id = 1`
		await sent(ground)
		away.is = true
		// Each of them makes the server describe the table again.
		for (const [place, change] of ['vacuum analyze public.t', 'alter table public.t add column note text'].entries()) {
			const refused = away.refused
			await sql.unsafe(change)
			await sql`delete from public.t where id = ${place + 2}`
			await sent(ground)
			expect(away.refused).toBeGreaterThan(refused)
		}
		const frames = await rowsOf(ground, 't')
		expect(idsOf(frames)).toEqual([1, 2, 3])
		expect(sessionsOf(frames)).toHaveLength(1)
		expect(frames.at(-1)?.rows.table.columns.map((column) => column.name)).toEqual(['id', 'note'])
	},
	120_000,
)

testKafka(
	'a table that is renamed while the vault is away is sent on, and NULL from before a NOT NULL is no incident',
	async () => {
		await using ground = await kafkaGround()
		const { sql } = ground
		await sql`create table public.p (id int primary key, note text) partition by range (id)`
		await sql`create table public.p_low partition of public.p for values from (0) to (10)`
		await sql`create table public.p_high partition of public.p for values from (10) to (20)`
		await sql`insert into public.p values (1, 'a'), (2, null), (3, 'c'), (11, 'a'), (12, null), (13, 'c')`
		const { away, vault } = unreliableVault(ground)
		await ground.capture({ vault })
		await publish(ground, 'public.p_low', 'public.p_high')
		await sql`delete from public.p where id in (1, 11)`
		await sent(ground)
		away.is = true
		await sql.begin(async (tx) => {
			// Has both leaves described again for the rows that go before the ALTER.
			await tx`alter table public.p alter note set default 'none'`
			await tx`delete from public.p where note is null`
			await tx`alter table public.p alter note set not null`
		})
		await sent(ground)
		expect(away.refused).toBeGreaterThan(0)
		await sql`alter table public.p rename to q`
		await sql`delete from public.q`
		await sent(ground)
		expect(idsOf(await rowsOf(ground, 'p'))).toEqual([1, 11, 2, 12])
		expect(idsOf(await rowsOf(ground, 'q'))).toEqual([3, 13])
		expect(sessionsOf([...(await rowsOf(ground, 'p')), ...(await rowsOf(ground, 'q'))])).toHaveLength(1)
		const transactions = (await transactionsOf(ground)).flatMap((frame) => frame.transactions)
		expect(transactions.flatMap(({ incidents }) => incidents)).toEqual([])
	},
	120_000,
)

/** The ground's vault, which cannot be reached while `away` says so. */
function unreliableVault({ vaultUrl, name }: KafkaGround): { away: { is: boolean; refused: number }; vault: Vault } {
	const away = { is: false, refused: 0 }
	const vault = openVault({ store: unreliable(fileStore(fileURLToPath(vaultUrl)), away), database: name })
	return { away, vault }
}

/** A store that cannot be reached while `away` says so. */
function unreliable(store: Store, away: { is: boolean; refused: number }): Store {
	return new Proxy(store, {
		get(target, property, receiver) {
			const member = Reflect.get(target, property, receiver)
			if (typeof member !== 'function') return member
			return (...args: unknown[]) => {
				if (!away.is) return member.apply(target, args)
				away.refused++
				throw new ReprieveError('VAULT_UNAVAILABLE', 'nobody answers')
			}
		},
	})
}

function sessionsOf(frames: Frame[]): string[] {
	return [...new Set(frames.map(({ header }) => header.session))]
}

function ids(from: number, to: number): number[] {
	return Array.from({ length: to - from + 1 }, (_, at) => from + at)
}

function finalOf({ rows }: RowsFrame) {
	return { position: rows.position[rows.count - 1], ordinal: rows.ordinal[rows.count - 1] }
}

async function confirmed({ sql, name }: KafkaGround): Promise<bigint> {
	const [slot] = await sql`select confirmed_flush_lsn::text as lsn from pg_replication_slots where database = ${name}`
	return parseLsn(slot?.lsn)
}
