import type { Preview } from '@reprieve/client'
import type { Sql } from '@reprieve/postgres'
import { hold, type Outcome } from './contest.ts'
import { fillTable, makeTable, startGround } from './ground.ts'

/** A verified restore of a whole table, beside COPY FROM of the same rows. */
export async function benchRestore(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await startGround()
	const { sql, client, processes } = ground
	await makeTable(sql, 'restored')
	await makeTable(sql, 'copied')
	await client.tables.protect({ tables: ['restored'], wait: 60 })
	await fillTable(sql, 'copied', rows)
	const text = await copyOut(sql)
	let selection = { transaction: '' }
	let preview: Preview | undefined
	return await hold({
		name: `restore: ${rows} rows, verified / COPY FROM of the same rows`,
		rounds,
		ours: {
			command: 'client.restores.start({ selection, hash }) ... finished()',
			processes: () => processes,
			prepare: async () => {
				await sql`delete from public.restored`
				await fillTable(sql, 'restored', rows)
				await sql`delete from public.restored`
				await client.archive.barrier({ timeoutMs: 600_000 })
				const newest = await client.archive.page({ table: 'restored', key: { id: '1' }, limit: 1 })
				selection = { transaction: newest.items[0]?.transaction ?? '' }
				preview = await client.restores.preview({ selection })
			},
			run: async () => {
				const job = await client.restores.start({ selection, hash: preview?.hash ?? '', reason: 'bench' })
				const done = await job.finished()
				if (done.verified !== rows) throw new Error(`verified ${done.verified} of ${rows} rows`)
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
