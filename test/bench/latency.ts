import { makeTable } from './ground.ts'
import { describeLatencies, type Latencies, summarise } from './latencies.ts'
import type { Report } from './report.ts'
import { startSidecarGround, streaming } from './sidecars.ts'

/** One deleted row on an otherwise idle loop without Kafka, again and again: milliseconds from its commit to its receipt. */
export async function benchLatency(count: number): Promise<Report> {
	await using ground = await startSidecarGround()
	const { sql, client } = ground
	ground.run('capture')
	await streaming(ground)
	await makeTable(sql, 'idle')
	await client.tables.protect({ tables: ['idle'], wait: 60 })
	const receipts: number[] = []
	for (let id = 1; id <= count; id++) {
		await sql`insert into public.idle (id, customer, email, placed, active) values (${id}, 1, 'a', now(), true)`
		await sql`delete from public.idle where id = ${id}`
		const committed = performance.now()
		await client.archive.barrier({ timeoutMs: 60_000 })
		receipts.push(performance.now() - committed)
	}
	const data: Latencies[] = [summarise('commit to restorable', receipts)]
	return describeLatencies(`latency: one deleted row, otherwise idle, ${count} times`, data)
}
