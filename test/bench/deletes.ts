import { hold, type Outcome } from './contest.ts'
import { fillTable, makeTable, startGround } from './ground.ts'

/** A whole run, from its start to its last receipt, beside one bare DELETE of as many rows. */
export async function benchDeletes(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await startGround()
	const { sql, client } = ground
	await makeTable(sql, 'planned')
	await makeTable(sql, 'bare')
	await sql`alter table public.bare replica identity full`
	await client.tables.protect({ tables: ['planned'], wait: 60 })
	let planId = ''
	const run = async () => {
		const job = await client.runs.start({ planId, reason: 'bench' })
		const done = await job.finished()
		if (done.archived !== rows) throw new Error(`archived ${done.archived} of ${rows} rows`)
		return rows
	}
	return await hold({
		name: `deletes: a run of ${rows} rows to its last receipt / bare DELETE`,
		rounds,
		ours: {
			command: 'client.runs.start({ planId }) ... finished()',
			prepare: async () => {
				await fillTable(sql, 'planned', rows)
				planId = (await client.plans.create({ kind: 'match', table: 'planned', where: { and: [] } })).id
			},
			run,
		},
		yardstick: {
			command: 'delete from bare',
			prepare: () => fillTable(sql, 'bare', rows),
			run: async () => (await sql`delete from public.bare`).count,
		},
	})
}
