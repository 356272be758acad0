import type { Client } from '@reprieve/client'
import { until } from '../support/wait.ts'
import type { BenchOptions } from './child.ts'
import { hold, type Outcome } from './contest.ts'
import { fillTable, makeTable } from './ground.ts'
import { pgbench } from './pgbench.ts'
import { planRows } from './planned.ts'
import { startSidecarGround, streaming } from './sidecars.ts'

const [scale, clients] = [10, 4]

/** A run that leaves the machine to others. */
const throttled = { throttle: { rowsPerSecond: 1_000 } }

/** pgbench's own transactions for `seconds` with a throttled run beside them, and without; the run goes on from round to round. */
export async function benchBeside({ seconds = 20, rows = 300_000, rounds }: BenchOptions): Promise<Outcome> {
	await using ground = await startSidecarGround()
	const { sql, client, url, processes } = ground
	const capture = ground.run('capture')
	await streaming(ground)
	await makeTable(sql, 'planned')
	await client.tables.protect({ tables: ['planned'], wait: 60 })
	await fillTable(sql, 'planned', rows)
	await pgbench(url, ['-i', '-q', '-s', `${scale}`])
	const planId = await planRows(client, { kind: 'match', table: 'planned', where: { and: [] } }, rows)
	const { id } = await client.runs.start({ planId, reason: 'bench', ...throttled })
	await pause(client, id)
	const load = async () => {
		const output = await pgbench(url, ['-n', '-c', `${clients}`, '-j', '1', '-T', `${seconds}`])
		const tps = Number(/^tps = ([\d.]+)/m.exec(output)?.[1])
		return { rows: tps * seconds, seconds }
	}
	const all = () => ({ ...processes, capture: capture.child.pid ?? 0 })
	return await hold({
		name: `beside: pgbench at scale ${scale}, ${clients} clients, ${seconds} s, beside a throttled run / without`,
		unit: 'transactions',
		rounds,
		ours: {
			command: `runs.start(${JSON.stringify(throttled)}); pgbench -c ${clients} -T ${seconds}`,
			processes: all,
			prepare: async () => {
				await sql`checkpoint`
				await client.runs.resume(id)
			},
			run: async () => {
				const done = await load()
				await pause(client, id)
				return done
			},
		},
		yardstick: {
			command: `pgbench -c ${clients} -T ${seconds}`,
			processes: all,
			prepare: async () => void (await sql`checkpoint`),
			run: load,
		},
	})
}

/** Throws when the run is at its end: nothing would be beside the next round. */
async function pause(client: Client, id: string): Promise<void> {
	await client.runs.pause(id)
	const paused = async () => (await client.runs.get(id)).status === 'paused'
	await until(paused, 'the run to pause: give it more rows', 60_000)
}
