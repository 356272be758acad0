import type { Sql } from '@reprieve/postgres'
import { hold, type Outcome } from './contest.ts'
import { fillTable, makeTable } from './ground.ts'
import { walPosition } from './log-position.ts'
import { planRows } from './planned.ts'
import { startCapturedGround } from './sidecars.ts'

const batchRows = 10_000

/** A whole run, from its start to its last receipt, beside one bare DELETE of as many rows: by time and by bytes of log. */
export async function benchDeletes(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await startCapturedGround()
	const { sql, client, processes } = ground
	await makeTable(sql, 'planned')
	await makeTable(sql, 'bare')
	await sql`alter table public.bare replica identity full`
	// A vacuum by the server beside one side would write its log, and count as that side's.
	for (const table of ['planned', 'bare'])
		await sql.unsafe(`alter table public.${table} set (autovacuum_enabled = off)`)
	await client.tables.protect({ tables: ['planned'], wait: 60 })
	let planId = ''
	// What fills a table is decoded too, and would be part of what is measured.
	const settle = async () => void (await client.archive.barrier({ timeoutMs: 600_000 }))
	const run = async () => {
		const job = await client.runs.start({ planId, reason: 'bench', batch: { rows: batchRows } })
		const done = await job.finished()
		if (done.archived !== rows) throw new Error(`archived ${done.archived} of ${rows} rows`)
	}
	return await hold({
		name: `deletes: a run of ${rows} rows, at most ${batchRows} a batch, to its last receipt / bare DELETE`,
		rounds,
		ours: {
			command: 'client.runs.start({ planId }) ... finished()',
			processes: () => processes,
			prepare: async () => {
				await fillTable(sql, 'planned', rows)
				planId = await planRows(client, { kind: 'match', table: 'planned', where: { and: [] } }, rows)
				await sql`checkpoint`
				await settle()
			},
			run: () => countingLog(sql, rows, run),
		},
		yardstick: {
			command: 'delete from bare',
			processes: () => processes,
			prepare: async () => {
				await fillTable(sql, 'bare', rows)
				await settle()
			},
			run: () => countingLog(sql, rows, async () => void (await sql`delete from public.bare`)),
		},
	})
}

/** Runs `work` and says how much log the server wrote meanwhile. */
async function countingLog(sql: Sql, rows: number, work: () => Promise<void>) {
	const before = await walPosition(sql)
	const start = performance.now()
	await work()
	const seconds = (performance.now() - start) / 1000
	return { rows, seconds, counts: { 'WAL bytes': Number((await walPosition(sql)) - before) } }
}
