import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Sql } from '@reprieve/postgres'
import { until } from '../../support/wait.ts'

/** Streams to nowhere until the position has come. */
export async function receiveUpTo(url: string, name: string, end: string): Promise<void> {
	const [code] = await once(spawnReceiver(url, name, [`--endpos=${end}`]), 'exit')
	if (code !== 0) throw new Error(`pg_recvlogical ended with ${code}; it comes with PostgreSQL's client programs`)
}

/** Streams to nowhere until it is ended. */
export function spawnReceiver(url: string, name: string, more: string[]): ChildProcess {
	const options = ['-o', 'proto_version=1', '-o', 'publication_names=bench', '--fsync-interval=0']
	const args = ['-d', url, '--slot', name, '--start', '--file=/dev/null', '--no-loop', ...more, ...options]
	return spawn('pg_recvlogical', args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Whether somebody streams from the slot. */
export async function isStreaming(sql: Sql, name: string): Promise<boolean> {
	return (await sql`select from pg_replication_slots where slot_name = ${name} and active`).count > 0
}

/** Whether all up to `end` was sent; what was sent was received, but for what lies between two processes of one machine. */
export async function isSent(sql: Sql, name: string, end: string): Promise<boolean> {
	const found = await sql`
		select from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid
		where s.slot_name = ${name} and r.sent_lsn >= ${end}::text::pg_lsn`
	return found.count > 0
}

/** Drops the slot as soon as nobody streams from it. */
export async function dropIdle(sql: Sql, name: string): Promise<void> {
	await until(async () => !(await isStreaming(sql, name)), 'the slot to be idle', 60_000)
	await sql`select pg_drop_replication_slot(${name})`
}
