import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createDecoder, type PgoutputHandler } from '@reprieve/cdc'
import { openStream, type Sql } from '@reprieve/postgres'
import { hold, type Outcome } from './contest.ts'
import { fillTable, makeTable, startGround } from './ground.ts'

const slot = 'bench_backlog'

/** Decoding a retained backlog into nothing, beside pg_recvlogical writing it to nowhere. Both stream from a copy of one slot. */
export async function benchCapture(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await startGround()
	const { sql, url } = ground
	await makeTable(sql, 'streamed')
	await sql`alter table public.streamed replica identity full`
	await sql`create publication bench for table public.streamed with (publish = 'delete')`
	await sql`select pg_create_logical_replication_slot(${slot}, 'pgoutput')`
	await fillTable(sql, 'streamed', rows)
	for (let from = 1; from <= rows; from += 5000) {
		await sql`delete from public.streamed where id between ${from} and ${from + 4999}`
	}
	const [end] = await sql<{ lsn: string }[]>`select pg_current_wal_insert_lsn()::text as lsn`
	await sql`select pg_logical_emit_message(true, 'bench', 'behind the last delete')`
	let copy = ''
	const prepare = async () => {
		if (copy) await dropCopy(sql, copy)
		copy = `bench_${crypto.randomUUID().slice(0, 8)}`
		await sql`select pg_copy_logical_replication_slot(${slot}, ${copy})`
	}
	const outcome = await hold({
		name: `capture: decode a backlog of ${rows} deletes / pg_recvlogical to nowhere`,
		rounds,
		ours: { command: 'openStream + createDecoder', prepare, run: () => decodeBacklog(url, copy, rows) },
		yardstick: {
			command: 'pg_recvlogical --start --file=/dev/null --endpos',
			prepare,
			run: async () => {
				await receive(url, copy, end?.lsn ?? '')
				return rows
			},
		},
	})
	await dropCopy(sql, copy)
	return outcome
}

async function decodeBacklog(url: string, name: string, rows: number): Promise<number> {
	let deletes = 0
	const { promise, resolve } = Promise.withResolvers<void>()
	const nothing = () => {}
	const handler: PgoutputHandler = {
		...{ begin: nothing, relation: nothing, insert: nothing, update: nothing, truncate: nothing, message: nothing },
		delete: () => {
			deletes++
		},
		commit: () => {
			if (deletes === rows) resolve()
		},
	}
	const decode = createDecoder(handler)
	const stream = await openStream({
		...{ url, slot: name, publications: ['bench'] },
		onFrame: (frame) => {
			if (frame.kind === 'data') decode(frame.payload)
		},
	})
	await Promise.race([promise, stream.ended])
	await stream.close()
	return deletes
}

async function receive(url: string, name: string, end: string): Promise<void> {
	const options = ['-o', 'proto_version=1', '-o', 'publication_names=bench', '--fsync-interval=0']
	const args = ['-d', url, '--slot', name, '--start', '--file=/dev/null', '--no-loop', `--endpos=${end}`, ...options]
	const child = spawn('pg_recvlogical', args, { stdio: ['ignore', 'ignore', 'inherit'] })
	const [code] = await once(child, 'exit')
	if (code !== 0) throw new Error(`pg_recvlogical ended with ${code}; it comes with PostgreSQL's client programs`)
}

async function dropCopy(sql: Sql, name: string): Promise<void> {
	for (;;) {
		const [row] = await sql`select from pg_replication_slots where slot_name = ${name} and active`
		if (!row) break
	}
	await sql`select pg_drop_replication_slot(${name})`
}
