import type { PreviewOptions } from '@reprieve/client'
import type { Sql } from '@reprieve/postgres'
import { hold, type Outcome } from './contest.ts'
import { fillTable, makeTable, type ServiceGround } from './ground.ts'
import { startCapturedGround } from './sidecars.ts'

const customers = 50_000

/** A verified restore of a whole table that has indexes and a foreign key, beside COPY FROM of the same rows into such a one. */
export async function benchRestore(rows: number, rounds: number): Promise<Outcome> {
	return await benchRestoring({ name: 'restore', rows, rounds, live: 0 })
}

/** The same where each tenth row's key is taken by another row by now, which stays. */
export async function benchConflicts(rows: number, rounds: number): Promise<Outcome> {
	return await benchRestoring({ name: 'restore-conflicts', rows, rounds, live: Math.floor(rows / 10) })
}

type RestoreBench = { name: string; rows: number; rounds: number; live: number }

async function benchRestoring({ name, rows, rounds, live }: RestoreBench): Promise<Outcome> {
	await using ground = await startCapturedGround()
	const { sql, client, processes } = ground
	await sql`create table public.customers (id int primary key)`
	await sql`insert into public.customers select generate_series(0, ${customers - 1})`
	for (const table of ['restored', 'copied']) await makeIndexed(sql, table)
	await client.tables.protect({ tables: ['restored'], wait: 60 })
	await fillTable(sql, 'copied', rows)
	const text = await copyOut(sql)
	let asked: PreviewOptions = { selection: { transaction: '' } }
	let hash = ''
	return await hold({
		name: `${name}: ${rows} rows, verified, ${live} keys taken / COPY FROM of the rows`,
		rounds,
		ours: {
			command: 'client.restores.start({ selection, hash }) ... finished()',
			processes: () => processes,
			prepare: async () => {
				asked = { selection: { transaction: await deleteAll(ground, rows) }, ...(live > 0 && { conflict: 'skip' }) }
				await sql`insert into public.restored (id, customer, email, placed, active)
					select g * 10, 1, 'taken', now(), true from generate_series(1, ${live}::int) g`
				await sql`vacuum (analyze) public.restored`
				hash = (await client.restores.preview(asked)).hash
				await sql`checkpoint`
			},
			run: async () => {
				const job = await client.restores.start({ ...asked, hash, reason: 'bench' })
				const { verified } = await job.finished()
				if (verified !== rows - live) throw new Error(`verified ${verified} of ${rows - live} rows`)
				return rows
			},
		},
		yardstick: {
			command: 'copy copied from stdin',
			processes: () => processes,
			prepare: async () => {
				await sql`truncate public.copied`
				await sql`checkpoint`
			},
			run: async () => {
				await copyIn(sql, text)
				return rows
			},
		},
	})
}

async function makeIndexed(sql: Sql, table: string): Promise<void> {
	await makeTable(sql, table)
	await sql.unsafe(`create index on public.${table} (placed)`)
	await sql.unsafe(`create index on public.${table} (email)`)
	await sql.unsafe(`alter table public.${table} add foreign key (customer) references public.customers`)
}

/** Fills the table anew and deletes all of it in one transaction; answers that when it is archived. */
async function deleteAll({ sql, client }: Pick<ServiceGround, 'sql' | 'client'>, rows: number): Promise<string> {
	await sql`delete from public.restored`
	await fillTable(sql, 'restored', rows)
	await sql`delete from public.restored`
	await client.archive.barrier({ timeoutMs: 600_000 })
	const newest = await client.archive.page({ table: 'restored', key: { id: '1' }, limit: 1 })
	return newest.items[0]?.transaction ?? ''
}

async function copyOut(sql: Sql): Promise<Buffer[]> {
	const chunks: Buffer[] = []
	for await (const chunk of await sql`copy public.copied to stdout`.readable()) chunks.push(chunk as Buffer)
	return chunks
}

async function copyIn(sql: Sql, chunks: Buffer[]): Promise<void> {
	const target = await sql`copy public.copied from stdin`.writable()
	for (const chunk of chunks) if (!target.write(chunk)) await new Promise((resolve) => target.once('drain', resolve))
	await new Promise<void>((resolve, reject) => target.on('error', reject).end(resolve))
}
