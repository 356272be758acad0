import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { Sql } from '@reprieve/postgres'
import { until } from '../../support/wait.ts'
import { hold, type Outcome } from '../contest.ts'
import { fillTable, type Ground, makeTable, startGround } from '../ground.ts'
import { openDecoding } from './decoding.ts'
import { dropIdle, isSent, isStreaming, receiveUpTo, spawnReceiver } from './receiver.ts'

const slot = 'bench_backlog'
const rowsPerTransaction = 5_000

/** Decoding a retained backlog into nothing, beside pg_recvlogical writing it to nowhere. Both stream from a copy of one slot. */
export async function benchBacklog(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await startStreamed(rows)
	const { sql, url, processes } = ground
	await sql`select pg_create_logical_replication_slot(${slot}, 'pgoutput')`
	for (let from = 1; from <= rows; from += rowsPerTransaction) {
		await sql`delete from public.streamed where id >= ${from} and id < ${from + rowsPerTransaction}`
	}
	const [end] = await sql<{ lsn: string }[]>`select pg_current_wal_insert_lsn()::text as lsn`
	await sql`select pg_logical_emit_message(true, 'bench', 'behind the last delete')`
	let copy = ''
	const prepare = async () => {
		if (copy) await dropIdle(sql, copy)
		copy = `bench_${crypto.randomUUID().slice(0, 8)}`
		await sql`select pg_copy_logical_replication_slot(${slot}, ${copy})`
	}
	const outcome = await hold({
		name: `capture-backlog: decode a backlog of ${rows} deletes, ${rowsPerTransaction} a transaction / pg_recvlogical to nowhere`,
		rounds,
		ours: {
			command: 'openStream + createDecoder',
			processes: () => processes,
			prepare,
			run: async () => {
				await using decoding = await openDecoding(url, copy, rows)
				await decoding.done
				return rows
			},
		},
		yardstick: {
			command: 'pg_recvlogical --start --file=/dev/null --endpos',
			processes: () => processes,
			prepare,
			run: async () => {
				await receiveUpTo(url, copy, end?.lsn ?? '')
				return rows
			},
		},
	})
	await dropIdle(sql, copy)
	return outcome
}

/** The same while it happens: from the commit of deletes in one transaction until a reader that was there before has them all. */
export async function benchStreaming(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await startStreamed(rows)
	const { sql, url, processes } = ground
	const name = 'bench_streaming'
	const prepare = async () => {
		await sql`truncate public.streamed`
		await fillTable(sql, 'streamed', rows)
		await sql`select pg_create_logical_replication_slot(${name}, 'pgoutput')`
	}
	return await hold({
		name: `capture-streaming: decode ${rows} deletes from their commit on / pg_recvlogical to nowhere`,
		rounds,
		ours: {
			command: 'openStream + createDecoder; delete (not timed), commit',
			processes: () => processes,
			prepare,
			run: async () => {
				await using decoding = await openDecoding(url, name, rows)
				const committed = await deleteAll(sql)
				await decoding.done
				const seconds = (performance.now() - committed) / 1000
				await decoding.close()
				await dropIdle(sql, name)
				return { rows, seconds }
			},
		},
		yardstick: {
			command: 'pg_recvlogical --start --file=/dev/null; delete (not timed), commit; until all of it was sent',
			processes: () => processes,
			prepare,
			run: async () => {
				const receiver = spawnReceiver(url, name, [])
				await until(async () => await isStreaming(sql, name), 'pg_recvlogical to stream', 60_000)
				const committed = await deleteAll(sql)
				const [end] = await sql<{ lsn: string }[]>`select pg_current_wal_insert_lsn()::text as lsn`
				while (!(await isSent(sql, name, end?.lsn ?? ''))) await pause(2)
				const seconds = (performance.now() - committed) / 1000
				receiver.kill('SIGTERM')
				await once(receiver, 'exit')
				await dropIdle(sql, name)
				return { rows, seconds }
			},
		},
	})
}

async function startStreamed(rows: number): Promise<Ground> {
	const ground = await startGround()
	await makeTable(ground.sql, 'streamed')
	await ground.sql`alter table public.streamed replica identity full`
	await ground.sql`create publication bench for table public.streamed with (publish = 'delete')`
	await fillTable(ground.sql, 'streamed', rows)
	return ground
}

/** Answers when the commit was known. */
async function deleteAll(sql: Sql): Promise<number> {
	await sql`delete from public.streamed`
	return performance.now()
}
