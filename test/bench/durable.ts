import { hold, type Outcome } from './contest.ts'
import { fillTable, makeTable } from './ground.ts'
import { dropPeek, openPeek, peek, peekCommand } from './peek.ts'
import { startCapturedGround } from './sidecars.ts'

/** From a commit to its receipt (segments synced, logs committed), beside the server alone decoding the same transaction. */
export async function benchDurable(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await startCapturedGround()
	const { sql, client, processes } = ground
	await makeTable(sql, 'archived')
	await client.tables.protect({ tables: ['archived'], wait: 60 })
	const prepare = async () => {
		await fillTable(sql, 'archived', rows)
		await client.archive.barrier({})
		await openPeek(sql)
		await sql`select pg_switch_wal()`
	}
	const remove = async () => {
		await sql`delete from public.archived`
	}
	return await hold({
		name: `durable: commit to receipt, ${rows} rows in one transaction / peek and count`,
		rounds,
		ours: {
			command: 'delete (not timed); client.archive.barrier()',
			processes: () => processes,
			prepare: async () => {
				await prepare()
				await dropPeek(sql)
				await remove()
			},
			run: async () => {
				await client.archive.barrier({ timeoutMs: 600_000 })
				return rows
			},
		},
		yardstick: {
			command: peekCommand,
			processes: () => processes,
			prepare: async () => {
				await prepare()
				await remove()
				await client.archive.barrier({ timeoutMs: 600_000 })
			},
			run: async () => {
				await peek(sql)
				return rows
			},
		},
	})
}
