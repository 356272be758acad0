import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFrameReader, encodeFrame, type RowOrigin, RowsBuilder, type Tuple } from '@reprieve/cdc'
import type { ChangeRows, SourceTable } from '@reprieve/contracts'
import { openKafka } from '@reprieve/sidecar'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import { pino } from 'pino'
import { startBroker } from '../../support/kafka/broker.ts'
import { jars } from '../../support/kafka/jars.ts'
import { outputOfJava } from '../../support/kafka/java.ts'
import { hold, type Outcome } from '../contest.ts'

const key = Buffer.alloc(32, 1)
const rowsPerFrame = 4_000

/** Framed, authenticated rows sent and acknowledged, beside Kafka's own tool sending the same rows as text. */
export async function benchProduce(rows: number, rounds: number): Promise<Outcome> {
	await using bench = await startBench(rows)
	const { kafka, frames, ground } = bench
	const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
	await producer.connect()
	const outcome = await hold({
		name: `kafka-produce: ${rows} rows in frames of ${rowsPerFrame}, zstd, acks=all / kafka-producer-perf-test`,
		rounds,
		ours: {
			command: 'encodeFrame + KafkaJS, one frame awaited after the other',
			run: async () => {
				const topic = await ground.topic()
				const start = performance.now()
				for (const frame of frames) await send(producer, topic, frame)
				return { rows, seconds: (performance.now() - start) / 1000 }
			},
		},
		yardstick: {
			command: `ProducerPerformance --payload-file (the same rows as text) --command-property acks=all compression.type=zstd compression.zstd.level=1`,
			run: async () => await producerPerf(bench),
		},
	})
	await producer.disconnect()
	return outcome
}

/** Frames read, verified and decoded to columns, beside Kafka's own tool reading the same records. */
export async function benchConsume(rows: number, rounds: number): Promise<Outcome> {
	await using bench = await startBench(rows)
	const { kafka, frames, ground } = bench
	const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
	await producer.connect()
	const topic = await ground.topic()
	for (const frame of frames) await send(producer, topic, frame)
	await producer.disconnect()
	return await hold({
		name: `kafka-consume: ${rows} rows in frames of ${rowsPerFrame}, zstd / kafka-consumer-perf-test`,
		rounds,
		ours: { command: 'KafkaJS eachBatch + createFrameReader', run: () => consume(kafka, topic, rows) },
		yardstick: {
			command: 'ConsumerPerformance (the same topic; joining the group not counted)',
			run: () => consumerPerf(bench, topic),
		},
	})
}

type Bench = Awaited<ReturnType<typeof startBench>>

async function startBench(rows: number) {
	await using stack = new AsyncDisposableStack()
	const broker = stack.use(await startBroker())
	const log = pino({ level: 'silent' })
	const kafka = openKafka({ brokers: broker.brokers, tls: null, sasl: null }, log)
	const admin = kafka.admin()
	await admin.connect()
	stack.defer(() => admin.disconnect())
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-perf-'))
	stack.defer(() => rm(folder, { recursive: true, force: true }))
	const frames = Array.from({ length: Math.ceil(rows / rowsPerFrame) }, (_, at) => makeRows(at * rowsPerFrame, rows))
	const payload = join(folder, 'payload.txt')
	await writeFile(payload, frames.slice(0, 50).map(asText).join('\n'))
	const owned = stack.move()
	return {
		...{ kafka, broker, frames, payload, tools: await jars('tools'), folder },
		ground: { topic: () => makeTopic(admin) },
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

async function makeTopic(admin: Admin): Promise<string> {
	const topic = `perf.${randomBytes(4).toString('hex')}`
	await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true })
	return topic
}

async function send(producer: ReturnType<Kafka['producer']>, topic: string, rows: ChangeRows): Promise<void> {
	const predecessor = { position: 0n, ordinal: 0 }
	const header = { database: 'bench', lineage: 'bench', epoch: 0, session: 'bench', topic, partition: 0 }
	const frame = { kind: 'rows', header: { ...header, predecessor, isUrgent: false }, rows, isComplete: true } as const
	const records = encodeFrame(frame, { key, maxRecordBytes: 4 * 1024 * 1024 })
	const messages = records.map((value) => ({
		value: Buffer.from(value.buffer, value.byteOffset, value.length),
		partition: 0,
	}))
	await producer.send({ topic, acks: -1, compression: kafkajs.CompressionTypes.ZSTD, messages })
}

async function consume(kafka: Kafka, topic: string, rows: number) {
	const consumer = kafka.consumer({ groupId: randomBytes(4).toString('hex'), maxBytesPerPartition: 4 * 1024 * 1024 })
	const reader = createFrameReader({ key })
	const { promise, resolve } = Promise.withResolvers<void>()
	let [start, read] = [0, 0]
	consumer.on(consumer.events.GROUP_JOIN, () => {
		start = performance.now()
	})
	await consumer.connect()
	await consumer.subscribe({ topic, fromBeginning: true })
	await consumer.run({
		autoCommit: false,
		eachBatch: async ({ batch }) => {
			for (const { value } of batch.messages) {
				const frame = value ? reader.read(value) : undefined
				if (frame?.kind === 'rows') read += frame.rows.count
			}
			if (read >= rows) resolve()
		},
	})
	await promise
	const seconds = (performance.now() - start) / 1000
	await consumer.disconnect()
	return { rows, seconds }
}

async function producerPerf({ broker, frames, payload, tools, folder, ground }: Bench) {
	const topic = await ground.topic()
	const properties = ['acks=all', 'compression.type=zstd', 'compression.zstd.level=1', 'max.request.size=8388608']
	const output = await outputOfJava({
		...{ jars: tools, main: 'org.apache.kafka.tools.ProducerPerformance', log: join(folder, 'producer.log') },
		args: [
			...['--topic', topic, '--num-records', `${frames.length}`, '--throughput', '-1'],
			...['--bootstrap-server', broker.brokers.join(','), '--payload-file', payload],
			...['--command-property', ...properties],
		],
	})
	const found = [...output.matchAll(/(\d+) records sent, ([\d.]+) records\/sec/g)].at(-1)
	if (!found) throw new Error(`ProducerPerformance said nothing of its speed:\n${output}`)
	return { rows: frames.length * rowsPerFrame, seconds: Number(found[1]) / Number(found[2]) }
}

async function consumerPerf({ broker, frames, tools, folder }: Bench, topic: string) {
	const output = await outputOfJava({
		...{ jars: tools, main: 'org.apache.kafka.tools.ConsumerPerformance', log: join(folder, 'consumer.log') },
		args: [
			...['--topic', topic, '--num-records', `${frames.length}`, '--bootstrap-server', broker.brokers.join(',')],
			...['--hide-header', '--fetch-size', `${4 * 1024 * 1024}`],
		],
	})
	const lines = output.split('\n').map((line) => line.split(', '))
	const fetchMs = Number(lines.findLast((fields) => fields.length === 10)?.[7])
	if (!(fetchMs > 0)) throw new Error(`ConsumerPerformance said nothing of its speed:\n${output}`)
	return { rows: frames.length * rowsPerFrame, seconds: fetchMs / 1000 }
}

const names = ['id', 'customer', 'email', 'name', 'note', 'amount', 'placed', 'day', 'payload', 'active']

const table: SourceTable = {
	...{ oid: 1, schema: 'public', name: 'perf', kind: 'r', key: ['id'], foreignKeys: [] },
	columns: names.map((name, at) => ({
		...{ attnum: at + 1, name, typeOid: 25, typmod: -1, typeName: 'text', typeKind: 'b' },
		...{ notNull: at === 0, generated: '', identity: '' },
	})),
}

function cellsOf(id: number): string[] {
	const digest = Buffer.from(`${id * 2654435761}`.padEnd(32, `${id}`)).toString('hex')
	return [
		...[`${id}`, `${id % 50_000}`, `user${id}@example.com`, digest.slice(0, 32), digest.slice(0, 64)],
		...[`${(id % 100_000) / 100}`, '2024-01-01 00:00:00+00', '2024-05-05', `{"n": ${id}, "tag": "x${id % 10}"}`, 't'],
	]
}

function makeRows(from: number, rows: number): ChangeRows {
	const builder = new RowsBuilder(table)
	const places = Int16Array.from(names.keys())
	for (let id = from; id < Math.min(rows, from + rowsPerFrame); id++)
		builder.append(tupleOf(cellsOf(id)), places, originOf(id))
	return builder.slice(0, builder.count)
}

function originOf(id: number): RowOrigin {
	return { op: 'delete', position: 1n, ordinal: id, xid: 1, committedAt: 0n, leaf: null, rewritten: null }
}

function tupleOf(cells: string[]): Tuple {
	const values = cells.map((cell) => Buffer.from(cell))
	const length = Int32Array.from(values, (value) => value.length)
	const start = new Int32Array(cells.length)
	for (let at = 1; at < start.length; at++) start[at] = (start[at - 1] as number) + (length[at - 1] as number)
	return { bytes: Buffer.concat(values), count: cells.length, start, length }
}

/** One line: the tool takes a record from each. */
function asText(rows: ChangeRows): string {
	const first = Number(Buffer.from(rows.columns[0]?.bytes.subarray(0, rows.columns[0].offsets[1]) ?? []).toString())
	return Array.from({ length: rows.count }, (_, row) => cellsOf(first + row).join('\t')).join('\t')
}
