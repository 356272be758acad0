import { randomUUID } from 'node:crypto'
import { formatLsn, formatPosition, messagePrefix, type Position, parseLsn, ReprieveError } from '@reprieve/contracts'
import type { Principal, Services } from '../context.ts'

/** Longest time between two looks at the barriers when no notification arrives. */
const pollMs = 250
const defaultTimeoutMs = 30_000

/** Returns when everything committed before the call is restorable (exactness.md 9.2). Throws ARCHIVE_LAGGING. */
export async function passBarrier(
	services: Services,
	_principal: Principal,
	input: { timeoutMs?: number },
): Promise<{ position: string; waitedMs: number }> {
	const began = performance.now()
	const position = await awaitBarrier(services, input.timeoutMs ?? defaultTimeoutMs)
	return { position: formatPosition(position), waitedMs: Math.round(performance.now() - began) }
}

/** Commits a nonce and waits for its receipt: the current log position may lie before a visible commit. */
export async function awaitBarrier(services: Services, timeoutMs: number): Promise<Position> {
	const { sql } = services.control
	const nonce = randomUUID()
	const deadline = performance.now() + timeoutMs
	let wake = () => {}
	const listening = await sql.listen('reprieve_receipts', () => wake())
	try {
		await sql`select pg_logical_emit_message(true, ${messagePrefix.barrier}, ${nonce})`
		for (;;) {
			const archived = await findBarrier(services, nonce)
			if (archived) return archived
			const leftMs = deadline - performance.now()
			if (leftMs <= 0) throw await lagging(services, timeoutMs)
			await new Promise<void>((resolve) => {
				const timer = setTimeout(resolve, Math.min(pollMs, leftMs))
				wake = () => {
					clearTimeout(timer)
					resolve()
				}
			})
		}
	} finally {
		await listening.unlisten()
	}
}

async function findBarrier({ control }: Services, nonce: string): Promise<Position | undefined> {
	const [row] = await control.sql<{ position: string; timeline: number }[]>`
		select position::text as position, timeline from reprieve.barriers where nonce = ${nonce}`
	return row && { timeline: row.timeline, lsn: parseLsn(row.position) }
}

async function lagging({ control }: Services, timeoutMs: number): Promise<ReprieveError> {
	const [row] = await control.sql<{ written: string; archived: string | null; state: string | null }[]>`
		select pg_current_wal_insert_lsn()::text as written, s.archived::text as archived, s.state
		from (values (1)) one(n) left join reprieve.capture_state s on s.id = one.n`
	const archived = row?.archived ? formatLsn(parseLsn(row.archived)) : 'nothing'
	return new ReprieveError(
		'ARCHIVE_LAGGING',
		`after ${timeoutMs} ms the log is written up to ${row?.written} and archived up to ${archived}`,
		{
			hint:
				row?.state === 'streaming'
					? 'Wait and try again.'
					: `Capture is ${row?.state ?? 'not running'}: see the system status.`,
		},
	)
}
