import type { Sql } from '@reprieve/postgres'
import { hold, type Outcome } from './contest.ts'
import { fillTable, makeTable, startGround } from './ground.ts'
import { planRows } from './planned.ts'

/** One row in five matches. */
const share = 5

/** Plans of `rows` duplicates by two normalised columns, of five times as many rows, beside counting them in plain SQL. */
export async function benchDuplicates(rows: number, rounds: number): Promise<Outcome> {
	return await benchPlan({
		...{ name: 'plan-duplicates', rows, rounds },
		policy: {
			kind: 'duplicates',
			table: 'planned',
			key: [
				{ column: 'email', normalise: 'lower' },
				{ column: 'name', normalise: 'trim' },
			],
			keep: 'oldest',
			by: 'placed',
		},
		// The last fifth repeats the first, in another spelling.
		spoil: (sql) => sql`
			update public.planned set email = upper('user' || (id - ${4 * rows}) || '@example.com'),
				name = ' ' || md5((id - ${4 * rows})::text) || ' ' where id > ${4 * rows}`,
		count: (sql) => sql`
			select sum(size - 1)::text as rows from (select count(*) as size from public.planned
				where email is not null and name is not null group by lower(email), btrim(name) having count(*) > 1) clusters`,
	})
}

/** The same of stale rows: one condition on a time. */
export async function benchStale(rows: number, rounds: number): Promise<Outcome> {
	const olderThan = new Date(Date.UTC(2024, 0, 1) + (rows + 1) * 1000).toISOString()
	return await benchPlan({
		...{ name: 'plan-stale', rows, rounds },
		policy: { kind: 'stale', table: 'planned', column: 'placed', olderThan },
		spoil: async () => undefined,
		count: (sql) =>
			sql.unsafe<{ rows: string }[]>(
				`select count(*)::text as rows from public.planned where placed < timestamptz '${olderThan}'`,
			),
	})
}

type PlanBench = {
	name: string
	rows: number
	rounds: number
	policy: Parameters<typeof planRows>[1]
	/** Makes some rows match. */
	spoil: (sql: Sql) => PromiseLike<unknown>
	count: (sql: Sql) => PromiseLike<readonly { rows: string }[]>
}

async function benchPlan({ name, rows, rounds, policy, spoil, count }: PlanBench): Promise<Outcome> {
	await using ground = await startGround()
	const { sql, client, processes } = ground
	await makeTable(sql, 'planned')
	await client.tables.protect({ tables: ['planned'], wait: 60 })
	await fillTable(sql, 'planned', rows * share)
	await spoil(sql)
	await sql`vacuum (analyze) public.planned`
	await sql`checkpoint`
	let planId: string | undefined
	return await hold({
		name: `${name}: ${rows} rows of ${rows * share} / the plain aggregate of the same condition`,
		rounds,
		ours: {
			command: 'client.plans.create(policy), until it is ready',
			processes: () => processes,
			prepare: async () => {
				if (planId) await client.plans.discard(planId)
			},
			run: async () => {
				planId = await planRows(client, policy, rows)
				return rows
			},
		},
		yardstick: {
			command: 'select count ... where (group by) the same condition',
			processes: () => processes,
			run: async () => {
				const [counted] = await count(sql)
				if (Number(counted?.rows) !== rows) throw new Error(`counted ${counted?.rows} of ${rows} rows`)
				return rows
			},
		},
	})
}
