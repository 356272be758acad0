import { createFrameReader, transactionsTopic } from '@reprieve/cdc'
import { openKafka } from '@reprieve/sidecar'
import { pino } from 'pino'
import { makeTable } from '../ground.ts'
import { describeLatencies, summarise } from '../latencies.ts'
import type { Report } from '../report.ts'
import { streaming } from '../sidecars.ts'
import { startKafkaGround } from './ground.ts'

const key = Buffer.alloc(32, 5)

/** One deleted row on an otherwise idle loop, again and again: milliseconds from its commit to a reader of Kafka, and to its receipt. */
export async function benchKafkaLatency(count: number): Promise<Report> {
	await using ground = await startKafkaGround({ REPRIEVE_FRAME_KEY: key.toString('base64') })
	const { sql, client, broker, prefix } = ground
	ground.run('capture', '--sink', 'kafka')
	ground.run('archive')
	await streaming(ground)
	await makeTable(sql, 'idle')
	await client.tables.protect({ tables: ['idle'], wait: 60 })
	const arrivals = new Map<number, PromiseWithResolvers<number>>()
	const arrivalOf = (xid: number) => {
		const known = arrivals.get(xid) ?? Promise.withResolvers<number>()
		arrivals.set(xid, known)
		return known
	}
	const access = { brokers: broker.brokers, tls: null, sasl: null }
	const consumer = openKafka(access, pino({ level: 'silent' })).consumer({ groupId: 'latency' })
	const reader = createFrameReader({ key })
	await consumer.connect()
	await consumer.subscribe({ topic: transactionsTopic(prefix), fromBeginning: true })
	await consumer.run({
		eachMessage: async ({ message }) => {
			const frame = message.value ? reader.read(message.value) : undefined
			if (frame?.kind !== 'transactions') return
			for (const { xid } of frame.transactions) arrivalOf(xid).resolve(performance.now())
		},
	})
	const acks: number[] = []
	const receipts: number[] = []
	for (let id = 1; id <= count; id++) {
		await sql`insert into public.idle (id, customer, email, placed, active) values (${id}, 1, 'a', now(), true)`
		const [row] = await sql<{ xid: string }[]>`
			delete from public.idle where id = ${id} returning pg_current_xact_id()::text as xid`
		const committed = performance.now()
		const acked = arrivalOf(Number(BigInt(row?.xid ?? 0) & 0xffff_ffffn)).promise
		await client.archive.barrier({ timeoutMs: 60_000 })
		receipts.push(performance.now() - committed)
		acks.push((await acked) - committed)
	}
	await consumer.disconnect()
	const data = [summarise('commit to a reader of Kafka', acks), summarise('commit to restorable', receipts)]
	return describeLatencies(`kafka-latency: one deleted row, otherwise idle, ${count} times`, data)
}
