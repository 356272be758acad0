import { CompressionTypes } from 'kafkajs'
import { expect, test } from 'vitest'
import { startBroker } from '../support/kafka/broker.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { type ArchiveGround, archiveGround, remakeTopic } from './archive-ground.ts'
import { noteOf, numbers } from './sender.ts'

const notes = (ids: number[]) => ids.map((id) => `${id} ${noteOf(id)}`)
const nothing = () => []

test.runIf(hasKafka)('a hole waits for a new session, which heals it', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t', 'u'])
	await ground.start()
	await sender.transaction({ t: [1] })
	await ground.receipted(sender.position)
	const start = sender.position
	await sender.transaction({ t: [2] }, { records: nothing })
	await sender.transaction({ t: [3], u: [3] })
	await until(async () => (await ground.incidents()).join() === 'FRAMES_MISSING', 'the hole')
	await until(async () => (await ground.rows('u')).length === 1, 'the other table')
	expect(await ground.rows('t')).toEqual(notes([1]))
	await sender.resend(start)
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes([1, 2, 3]))
	await until(async () => (await ground.incidents()).length === 0, 'the end of the incident')
	const [incident] = await ground.sql`select resolved_by from reprieve.incidents`
	expect(incident?.resolved_by).toBe('archiver')
})

test.runIf(hasKafka)('a hole that a new session leaves open is asked for anew', async () => {
	await using ground = await archiveGround()
	const { sender, sql } = ground
	await sender.makeTopics(['t'])
	await ground.start()
	await sender.transaction({ t: [1] })
	const start = sender.position
	await sender.transaction({ t: [2] }, { records: nothing })
	await sender.transaction({ t: [3] })
	await until(async () => (await ground.incidents()).join() === 'FRAMES_MISSING', 'the hole')
	const [first] = await sql`select at from reprieve.incidents`
	await sql`update reprieve.incidents set resolved_at = now(), resolved_by = 'somebody'`
	sender.begin(start)
	const [, second] = sender.past
	await sender.transaction({}, { again: second, records: nothing })
	await sender.transaction({ t: [4] })
	await until(async () => (await ground.incidents()).join() === 'FRAMES_MISSING', 'the second hole')
	const [again] = await sql`select at > ${first?.at} as later from reprieve.incidents`
	expect(again?.later).toBe(true)
})

test.runIf(hasKafka)('a hole that was healed before anybody looked is not asked for', async () => {
	await using ground = await archiveGround()
	const { sql } = ground
	// Uncompressed, so that what heals the hole comes with a later fetch.
	const sender = ground.openSender({ compression: CompressionTypes.None })
	await sender.makeTopics(['t'])
	const start = sender.position
	await sender.transaction({ t: [1] }, { records: nothing })
	for (const id of [2, 3]) await sender.transaction({ t: [id] }, { noteBytes: 5_000_000 })
	await sender.resend(start)
	await ground.start()
	await ground.receipted(sender.position)
	expect((await ground.rows('t')).map((row) => row.split(' ', 1)[0])).toEqual(['1', '2', '3'])
	expect(await sql`select code from reprieve.incidents`).toEqual([])
})

test.runIf(hasKafka)('transactions that are missing are sent again', async () => {
	await using ground = await archiveGround()
	const { sender, vault, lineage } = ground
	await sender.makeTopics(['t'])
	await ground.start()
	const start = sender.position
	await sender.transaction({ t: [1] }, { receipts: nothing })
	await sender.transaction({ t: [2] })
	await until(async () => (await ground.incidents()).join() === 'FRAMES_MISSING', 'the hole')
	await until(async () => (await ground.rows('t')).length === 2, 'the rows')
	expect(await vault.transactions.archived(lineage)).toBe(start)
	await sender.resend(start)
	await ground.receipted(sender.position)
	expect((await Array.fromAsync(vault.transactions.read({}))).length).toBe(2)
	expect(await ground.rows('t')).toEqual(notes([1, 2]))
})

test.runIf(hasKafka)(
	'a topic that was deleted and made again loses nothing that was archived, and goes on',
	async () => {
		await using ground = await archiveGround()
		const { sender } = ground
		await sender.makeTopics(['t'])
		await ground.start()
		for (const id of numbers(1, 5)) await sender.transaction({ t: [id] })
		await ground.receipted(sender.position)
		await makeAgain(ground, 't')
		await sender.transaction({ t: [6] })
		await ground.receipted(sender.position, 40_000)
		expect(await ground.rows('t')).toEqual(notes(numbers(1, 6)))
	},
)

test.runIf(hasKafka)('rows that went with their topic are asked for, though nothing comes behind them', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	const first = await ground.start({ patienceMs: 300 })
	await sender.transaction({ t: [1] })
	await ground.receipted(sender.position)
	await first.stop()
	const start = sender.position
	await sender.transaction({ t: [2] })
	await makeAgain(ground, 't')
	await ground.start({ patienceMs: 300 })
	await until(async () => (await ground.incidents()).join() === 'FRAMES_MISSING', 'the incident')
	await sender.resend(start)
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes([1, 2]))
	await until(async () => (await ground.incidents()).length === 0, 'the end of the incident')
})

test.runIf(hasKafka)('what nobody sends again is a recorded gap, and no receipt counts it', async () => {
	await using ground = await archiveGround()
	const { sender, sql, vault } = ground
	await sender.makeTopics(['t', 'u'])
	const first = await ground.start()
	for (const id of [-1, 0, 1]) await sender.transaction({ t: [id] })
	await ground.receipted(sender.position)
	await first.stop()
	const before = sender.position
	await sender.transaction({ t: [2], u: [2] })
	await makeAgain(ground, 't')
	// The brokers were trusted: the server has forgotten what they had.
	sender.begin(sender.position)
	const start = sender.position
	await sender.transaction({ t: [3] })
	await ground.start()
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes([-1, 0, 1, 3]))
	expect(await ground.rows('u')).toEqual(notes([2]))
	expect((await Array.fromAsync(vault.transactions.read({}))).map(({ rows }) => rows).slice(2)).toEqual([
		{ t: { deleted: 1, relinked: 0 } },
		{ u: { deleted: 1, relinked: 0 } },
		{ t: { deleted: 1, relinked: 0 } },
	])
	expect(await ground.incidents()).toEqual(['CAPTURE_GAP', 'ROWS_MISSING'])
	const gaps =
		await sql`select "table", from_position::text as "from", to_position::text as "to" from reprieve.capture_gaps`
	const [range] = gaps.filter(({ from, to }) => from !== to)
	expect(range).toMatchObject({ table: 't', from: lsn(before - 1n), to: lsn(start - 1n) })
	expect(gaps.length).toBe(2)
})

test.runIf(hasKafka)('rows that a remade topic hides behind the offsets of the old one are not counted', async () => {
	await using ground = await archiveGround()
	const { sender, vault } = ground
	await sender.makeTopics(['t'])
	const first = await ground.start()
	await sender.transaction({ t: [1] })
	await ground.receipted(sender.position)
	await first.stop()
	await sender.transaction({ t: [2] })
	await makeAgain(ground, 't')
	await sender.transaction({ t: [3] })
	sender.begin(sender.position)
	await sender.transaction({ t: [4] })
	await ground.start()
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes([1, 4]))
	const counted = (await Array.fromAsync(vault.transactions.read({}))).map(({ rows }) => rows.t?.deleted ?? 0)
	expect(counted).toEqual([1, 0, 0, 1])
	expect(await ground.incidents()).toEqual(['ROWS_MISSING', 'ROWS_MISSING'])
})

test.runIf(hasKafka)(
	'records that the broker let go of are asked for again',
	async () => {
		await using broker = await startBroker({
			settings: { 'log.retention.check.interval.ms': '100', 'log.initial.task.delay.ms': '100' },
		})
		await using ground = await archiveGround({ brokers: broker.brokers })
		const { sender, client } = ground
		await sender.makeTopics(['t'], { 'segment.ms': '50' })
		const first = await ground.start()
		await sender.transaction({ t: [1] })
		await ground.receipted(sender.position)
		await first.stop()
		const start = sender.position
		for (const id of numbers(2, 9)) await sender.transaction({ t: [id] })
		const admin = client.admin()
		await admin.connect()
		await setRetention(ground, 't', '1')
		await until(
			async () => Number((await admin.fetchTopicOffsets(sender.topicOf('t')))[0]?.low) > 8,
			'the records to go',
		)
		await setRetention(ground, 't', '-1')
		await admin.disconnect()
		await ground.start({ patienceMs: 300 })
		await sender.transaction({ t: [10] })
		await until(async () => (await ground.incidents()).join() === 'FRAMES_MISSING', 'the incident')
		await sender.resend(start)
		await ground.receipted(sender.position)
		expect(await ground.rows('t')).toEqual(notes(numbers(1, 10)))
		await until(async () => (await ground.incidents()).length === 0, 'the end of the incident')
	},
	120_000,
)

async function makeAgain({ client, sender }: ArchiveGround, table: string): Promise<void> {
	await remakeTopic(client, sender.topicOf(table))
}

async function setRetention({ client, sender }: ArchiveGround, table: string, ms: string): Promise<void> {
	const admin = client.admin()
	await admin.connect()
	const configEntries = [
		{ name: 'segment.ms', value: '50' },
		{ name: 'retention.ms', value: ms },
	]
	await admin.alterConfigs({
		validateOnly: false,
		resources: [{ type: 2, name: sender.topicOf(table), configEntries }],
	})
	await admin.disconnect()
}

function lsn(position: bigint): string {
	return `${(position >> 32n).toString(16)}/${(position & 0xffffffffn).toString(16)}`.toUpperCase()
}
