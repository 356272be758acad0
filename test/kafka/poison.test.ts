import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { encodeFrame, type Frame, type FrameHeader } from '@reprieve/cdc'
import { expect, test } from 'vitest'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { type ArchiveGround, archiveGround } from './archive-ground.ts'
import { noteOf, numbers, type Outgoing, type Sender } from './sender.ts'

const notes = (ids: number[]) => ids.map((id) => `${id} ${noteOf(id)}`)

type Poison = { made: string; poison: (record: Outgoing, ground: ArchiveGround) => Uint8Array; why: RegExp }

const poisons: Poison[] = [
	{ made: 'truncated', poison: ({ value }) => value.subarray(0, value.length - 9), why: /\(truncated\)/ },
	{ made: 'empty', poison: () => new Uint8Array(0), why: /\(truncated\)/ },
	{ made: 'of another program', poison: () => Buffer.from('{"op":"d"}'), why: /\(notAFrame\)/ },
	{
		made: 'of another version',
		poison: ({ value }) => withText(value, '"version":1,', '"version":2,'),
		why: /\(version\)/,
	},
	{ made: 'changed in one byte', poison: ({ value }) => changed(value), why: /\(signature\)/ },
	{
		made: 'signed with another key',
		poison: ({ frame }) => encodeFrame(frame, { key: randomBytes(32), maxRecordBytes: 900_000 })[0] as Uint8Array,
		why: /\(signature\)/,
	},
	{
		made: 'of another database',
		poison: ({ frame }, { kafka }) => signed(frame, { database: 'elsewhere' }, kafka.frameKey),
		why: /of database elsewhere/,
	},
	{
		made: 'of another lineage',
		poison: ({ frame }, { kafka }) => signed(frame, { lineage: 'another' }, kafka.frameKey),
		why: /of lineage another/,
	},
	{
		made: 'of another topic',
		poison: ({ frame }, { kafka }) => signed(frame, { topic: 'x.public.t' }, kafka.frameKey),
		why: /was sent to x.public.t:0/,
	},
	{
		made: 'of another partition',
		poison: ({ frame }, { kafka }) => signed(frame, { partition: 7 }, kafka.frameKey),
		why: /:7, it lies in/,
	},
	{
		made: 'of hostile lengths',
		poison: ({ value }) => withText(value, /"payload":\d+/, '"payload":9007199254740991'),
		why: /\(signature\)/,
	},
]

test.runIf(hasKafka).for(poisons)(
	'a record $made stops its partition alone, and parking lets it go on',
	async ({ poison, why }) => {
		await using ground = await archiveGround()
		const { sender, sql } = ground
		await sender.makeTopics(['t', 'u'])
		await ground.start()
		await sender.transaction({ t: [1] })
		await sender.send([await poisoned(sender, (record) => poison(record, ground))])
		await sender.transaction({ u: [2] })
		await sender.transaction({ t: [3] })
		await until(async () => (await ground.incidents()).includes('POISON_RECORD'), 'the incident')
		const [incident] = await sql`select message, "table", stops_capture from reprieve.incidents`
		expect(incident?.message).toMatch(why)
		expect(incident).toMatchObject({ table: 't', stops_capture: false })
		await until(async () => (await ground.rows('u')).length === 1, 'the other table')
		expect(await ground.rows('t')).toEqual(notes([1]))
		expect(await ground.park({ topic: sender.topicOf('t'), partition: 0, offset: 1n })).toBe(
			`${ground.kafka.prefix}.parked`,
		)
		await ground.receipted(sender.position)
		expect(await ground.rows('t')).toEqual(notes([1, 3]))
		expect(await ground.incidents()).toEqual([])
	},
)

test.runIf(hasKafka)('what a parked record held is asked for again, and comes', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	await ground.start()
	const start = sender.position
	await sender.transaction({ t: [1] }, { records: spoilt })
	await sender.transaction({ t: [2] })
	await until(async () => (await ground.incidents()).includes('POISON_RECORD'), 'the incident')
	await ground.park({ topic: sender.topicOf('t'), partition: 0, offset: 0n })
	await until(async () => (await ground.incidents()).join() === 'FRAMES_MISSING', 'the hole')
	await sender.resend(start)
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes([1, 2]))
	await until(async () => (await ground.incidents()).length === 0, 'the end of the incident')
})

test.runIf(hasKafka)('a part of a frame is parked, and the rest of the frame is passed over', async () => {
	await using ground = await archiveGround()
	const sender = ground.openSender({ maxRecordBytes: 2_000 })
	await sender.makeTopics(['t'])
	await ground.start()
	const start = sender.position
	const spoilSecond = (records: Outgoing[]) => {
		expect(records.length).toBeGreaterThan(3)
		return records.map((record, at) => (at === 1 ? { ...record, value: changed(record.value) } : record))
	}
	await sender.transaction({ t: numbers(1, 200) }, { records: spoilSecond })
	await until(async () => (await ground.incidents()).includes('POISON_RECORD'), 'the incident')
	await ground.park({ topic: sender.topicOf('t'), partition: 0, offset: 1n })
	await sender.transaction({ t: [201] })
	await until(async () => (await ground.incidents()).join() === 'FRAMES_MISSING', 'the hole')
	await sender.resend(start)
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes(numbers(1, 201)))
})

test.runIf(hasKafka)('a restart stands at the same record, and a parked one stays parked', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	const first = await ground.start()
	await sender.transaction({ t: [1] })
	const foreign = (record: Outgoing) => signed(record.frame, { database: 'elsewhere' }, ground.kafka.frameKey)
	await sender.send([await poisoned(sender, foreign)])
	await sender.transaction({ t: [2] })
	await until(async () => (await ground.incidents()).includes('POISON_RECORD'), 'the incident')
	await first.stop()
	await ground.sql`delete from reprieve.incidents`
	const second = await ground.start()
	await until(async () => (await ground.incidents()).includes('POISON_RECORD'), 'the incident again')
	expect(await ground.rows('t')).toEqual(notes([1]))
	await second.stop()
	await ground.park({ topic: sender.topicOf('t'), partition: 0, offset: 1n })
	await ground.start()
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes([1, 2]))
})

test.runIf(hasKafka)('poison in the topic of transactions holds receipts back, not rows', async () => {
	await using ground = await archiveGround()
	const { sender, vault, lineage } = ground
	await sender.makeTopics(['t'])
	await ground.start()
	const start = sender.position
	await sender.transaction({ t: [1] }, { receipts: spoilt })
	await sender.transaction({ t: [2] })
	await until(async () => (await ground.rows('t')).length === 2, 'the rows')
	await until(async () => (await ground.incidents()).includes('POISON_RECORD'), 'the incident')
	expect(await vault.transactions.archived(lineage)).toBe(start)
	await ground.park({ topic: sender.transactionsTopic, partition: 0, offset: 0n })
	await until(async () => (await ground.incidents()).join() === 'FRAMES_MISSING', 'the hole')
	await sender.resend(start)
	await ground.receipted(sender.position)
	expect((await Array.fromAsync(vault.transactions.read({}))).length).toBe(2)
	expect(await ground.rows('t')).toEqual(notes([1, 2]))
})

test.runIf(hasKafka)('parking keeps the record, with where it came from, and says so in the audit', async () => {
	await using ground = await archiveGround()
	const { sender, vault } = ground
	await sender.makeTopics(['t'])
	await ground.start()
	const value = Buffer.from('not a frame')
	await sender.send([await poisoned(sender, () => value)])
	await until(async () => (await ground.incidents()).includes('POISON_RECORD'), 'the incident')
	const place = { topic: sender.topicOf('t'), partition: 0, offset: 0n }
	await expect(ground.park({ ...place, offset: 7n })).rejects.toMatchObject({ code: 'CONFLICT' })
	const { code, output } = await runPark(ground, place)
	expect(output).toContain(`parked in ${ground.kafka.prefix}.parked`)
	expect(code).toBe(0)
	const [copy] = await ground.records(`${ground.kafka.prefix}.parked`)
	expect(copy?.value).toEqual(value)
	const headers = Object.fromEntries(Object.entries(copy?.headers ?? {}).map(([name, text]) => [name, `${text}`]))
	expect(headers).toMatchObject({
		'reprieve-topic': place.topic,
		'reprieve-partition': '0',
		'reprieve-offset': '0',
		'reprieve-reason': 'a stray record',
	})
	const audit = await Array.fromAsync(vault.audit())
	expect(audit).toMatchObject([
		{ act: 'park', topic: place.topic, partition: 0, offset: '0', reason: 'a stray record' },
	])
	expect(audit[0]?.why).toMatch(/notAFrame/)
})

test.runIf(hasKafka)('the right key lets reading go on by itself', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	const wrong = await ground.start({ kafka: { frameKey: randomBytes(32) } })
	await sender.transaction({ t: [1] })
	await until(async () => (await ground.incidents()).length === 2, 'both incidents')
	await wrong.stop()
	await ground.start()
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes([1]))
	await until(async () => (await ground.incidents()).length === 0, 'the end of the incidents')
})

/** A record that belongs to the end of the topic of t, made into another one. */
async function poisoned(sender: Sender, make: (record: Outgoing) => Uint8Array): Promise<Outgoing> {
	const [record] = sender.draft({ t: [99] })
	if (!record) throw new Error('no record')
	return { ...record, value: make(record) }
}

function spoilt(records: Outgoing[]): Outgoing[] {
	return records.map((record) => ({ ...record, value: changed(record.value) }))
}

/** Signed as it should be, with another header. */
function signed(frame: Frame, header: Partial<FrameHeader>, key: Uint8Array): Uint8Array {
	const other = { ...frame, header: { ...frame.header, ...header } }
	return encodeFrame(other, { key, maxRecordBytes: 900_000 })[0] as Uint8Array
}

function withText(value: Uint8Array, from: string | RegExp, to: string): Uint8Array {
	return Buffer.from(Buffer.from(value).toString('latin1').replace(from, to), 'latin1')
}

function changed(value: Uint8Array): Uint8Array {
	const copy = Buffer.from(value)
	const at = copy.length - 40
	copy[at] = (copy[at] as number) ^ 1
	return copy
}

/** The command as an operator gives it. */
async function runPark(
	ground: ArchiveGround,
	{ topic, partition, offset }: { topic: string; partition: number; offset: bigint },
): Promise<{ code: number | null; output: string }> {
	const main = fileURLToPath(new URL('../../apps/sidecar/src/main.ts', import.meta.url))
	const args = ['park', '--topic', topic, '--partition', `${partition}`, '--offset', `${offset}`]
	const env = {
		...process.env,
		DATABASE_URL: ground.url,
		REPRIEVE_VAULT: ground.vaultUrl,
		KAFKA_BROKERS: ground.kafka.brokers.join(),
		REPRIEVE_KAFKA_PREFIX: ground.kafka.prefix,
		REPRIEVE_FRAME_KEY: Buffer.from(ground.kafka.frameKey).toString('base64'),
	}
	const child = spawn(process.execPath, [main, ...args, '--reason', 'a stray record'], { env })
	let output = ''
	for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes))
	const [code] = await once(child, 'close')
	return { code, output }
}
