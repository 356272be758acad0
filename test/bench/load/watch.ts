import type { Client } from '@reprieve/client'
import type { Sql } from '@reprieve/postgres'
import { type Processes, residentMiB, type Usage, usageOfAll } from '../processes.ts'

/** Between two looks at memory and log; every fifth look begins a barrier as well. */
const everyMs = 1_000
const looksPerBarrier = 5
const barrierTimeoutMs = 600_000

/** What one look saw. */
type Look = {
	/** Bytes of log that the slot holds back, behind the newest position acknowledged. */
	heldBackMiB: number
	/** Resident memory of each process. */
	residentMiB: Record<string, number>
}

/** What happened in a load's time. */
export type Watched = {
	seconds: number
	looks: Look[]
	/** Milliseconds from a commit to its receipt, one every few seconds, oldest first. */
	lagsMs: number[]
	processes: Record<string, Usage>
}

export type WatchOptions = { sql: Sql; client: Client; processes: Processes }

/** Looks on while `work` is done, and until everything is archived after it. */
export async function watch({ sql, client, processes }: WatchOptions, work: () => Promise<void>): Promise<Watched> {
	const began = performance.now()
	const before = usageOfAll(processes)
	const looks: Look[] = []
	const lagsMs: number[] = []
	const passBarrier = async () => {
		lagsMs.push((await client.archive.barrier({ timeoutMs: barrierTimeoutMs })).waitedMs)
	}
	const working = work()
	let isDone = false
	const done = working.finally(() => {
		isDone = true
	})
	let barrier = Promise.resolve()
	let isWaiting = false
	for (let at = 0; !isDone; at++) {
		const heldBackMiB = (await heldBack(sql)) / 2 ** 20
		looks.push({ heldBackMiB, residentMiB: residentMiB(processes) })
		if (at % looksPerBarrier === 0 && !isWaiting) {
			isWaiting = true
			barrier = passBarrier().finally(() => {
				isWaiting = false
			})
		}
		await Promise.race([done, new Promise((resolve) => setTimeout(resolve, everyMs))])
	}
	await done
	await barrier
	await passBarrier()
	return { seconds: (performance.now() - began) / 1000, looks, lagsMs, processes: usageOfAll(processes, before) }
}

async function heldBack(sql: Sql): Promise<number> {
	const [row] = await sql<{ bytes: string }[]>`
		select coalesce(max(pg_current_wal_lsn() - confirmed_flush_lsn), 0)::text as bytes
		from pg_replication_slots where slot_name like 'reprieve%'`
	return Number(row?.bytes ?? 0)
}
