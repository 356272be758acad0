import type { Control } from '@reprieve/control'
import type { Clock } from './context.ts'

/** Milliseconds between two readings of the database's clock. */
const readMs = 60_000

/** Time by the database's clock, which every replica shares: read now and then, carried on by one that nobody sets. */
export async function openDatabaseClock(sql: Control['sql']): Promise<Clock & { close(): void }> {
	let reading = await readClock(sql)
	const read = () =>
		readClock(sql).then(
			(now) => {
				reading = now
			},
			() => {},
		)
	const timer = setInterval(read, readMs).unref()
	return {
		now: () => new Date(reading.database + performance.now() - reading.own),
		close: () => clearInterval(timer),
	}
}

async function readClock(sql: Control['sql']): Promise<{ database: number; own: number }> {
	const asked = performance.now()
	const [row] = await sql<{ database: number }[]>`
		select (extract(epoch from clock_timestamp()) * 1000)::float8 as database`
	return { database: row?.database ?? 0, own: (asked + performance.now()) / 2 }
}
