import { hold, type Outcome } from '../contest.ts'
import { fillTable, makeTable } from '../ground.ts'
import { openPeek, peek, peekCommand } from '../peek.ts'
import { streaming } from '../sidecars.ts'
import { startKafkaGround } from './ground.ts'

/** From a commit through Kafka to its receipt, in two processes, beside the server alone decoding the same transaction. */
export async function benchKafkaDurable(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await startKafkaGround()
	const { sql, client, broker } = ground
	const capture = ground.run('capture', '--sink', 'kafka')
	const archive = ground.run('archive')
	await streaming(ground)
	await makeTable(sql, 'archived')
	await client.tables.protect({ tables: ['archived'], wait: 60 })
	const prepare = async () => {
		await fillTable(sql, 'archived', rows)
		await client.archive.barrier({ timeoutMs: 60_000 })
	}
	return await hold({
		name: `kafka-durable: commit through Kafka to receipt, ${rows} rows in one transaction / peek and count`,
		rounds,
		ours: {
			command: 'sidecar capture --sink kafka; sidecar archive; delete (not timed); client.archive.barrier()',
			processes: () => ({ capture: capture.child.pid ?? 0, archive: archive.child.pid ?? 0, broker: broker.pid }),
			prepare: async () => {
				await prepare()
				await sql`delete from public.archived`
			},
			run: async () => {
				await client.archive.barrier({ timeoutMs: 600_000 })
				return rows
			},
		},
		yardstick: {
			command: peekCommand,
			prepare: async () => {
				await prepare()
				await openPeek(sql)
				await sql`delete from public.archived`
				await client.archive.barrier({ timeoutMs: 600_000 })
			},
			run: async () => {
				await peek(sql)
				return rows
			},
		},
	})
}
