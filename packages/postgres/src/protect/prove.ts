import type { Finding } from '@reprieve/contracts'
import type { Sql } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'
import { readServerFacts, streamFindings } from './server-facts.ts'
import { type OlderTransaction, readOlderTransactions } from './settle.ts'

export type FinishOptions = {
	/** Whether the vault holds the deleted canary of that nonce: read back from the archive itself. */
	readCanary: (nonce: string) => Promise<boolean>
	/** Milliseconds to wait for older transactions and for the proof. */
	waitMs: number
}

export type Finished = {
	/** Tables that became ready. */
	ready: number[]
	/** Why the others did not. */
	findings: Finding[]
}

type Pending = { oid: number; xid: string; at: string }

const pollMs = 25

/**
 * Brings pending tables to `ready`: waits for transactions older than the change, then proves capture live by a canary
 * that is deleted, archived and read back. May be called by anybody at any time, also after a crash between any two
 * steps; a table that changes meanwhile stays pending.
 */
export async function finishProtecting(sql: Sql, options: FinishOptions): Promise<Finished> {
	const deadline = performance.now() + options.waitMs
	const pending = await readPending(sql)
	if (pending.length === 0) return { ready: [], findings: [] }
	const closed = await openedStream(sql, deadline)
	if (closed.length > 0) return { ready: [], findings: closed }
	const { settled, findings } = await settle(sql, pending, deadline)
	if (settled.length === 0) return { ready: [], findings }
	const nonce = await emitCanary(sql)
	const isProved = (await passBarrier(sql, nonce, deadline)) && (await options.readCanary(nonce))
	if (!isProved) return { ready: [], findings: [...findings, notProved] }
	return { ready: await markReady(sql, settled, nonce), findings }
}

const notProved: Finding = {
	code: 'pending',
	message: 'a deleted canary has not come back from the archive yet',
	remedy: 'Wait, or look at the log of the sidecar.',
}

/** Findings about slot and stream that are still there at the deadline: capture may only be starting. */
async function openedStream(sql: Sql, deadline: number): Promise<Finding[]> {
	for (;;) {
		const findings = streamFindings(await readServerFacts(sql))
		if (findings.length === 0 || performance.now() > deadline) return findings
		await new Promise((resolve) => setTimeout(resolve, pollMs))
	}
}

async function readPending(sql: Sql): Promise<Pending[]> {
	return await sql<Pending[]>`
		select p.oid::float8 as oid, p.changed_xid as xid, p.changed_at::text as at
		from reprieve.protected_tables p join pg_class c on c.oid = p.oid where p.status = 'pending'`
}

async function settle(
	sql: Sql,
	pending: Pending[],
	deadline: number,
): Promise<{ settled: Pending[]; findings: Finding[] }> {
	for (;;) {
		const older = await Promise.all(pending.map((table) => readOlderTransactions(sql, table)))
		const settled = pending.filter((_, index) => older[index]?.length === 0)
		if (settled.length === pending.length) return { settled, findings: [] }
		if (performance.now() > deadline) return { settled, findings: [olderFinding(older.flat())] }
		await new Promise((resolve) => setTimeout(resolve, pollMs))
	}
}

/** The finding that names what a pending table waits for. */
export function olderFinding(older: OlderTransaction[]): Finding {
	const names = older.map((one) =>
		one.prepared === null ? `process ${one.pid}` : `prepared transaction ${one.prepared}`,
	)
	return {
		code: 'olderTransactions',
		message: `waits for transactions older than the change: ${[...new Set(names)].join(', ')}`,
		remedy: 'Wait until they end, or end them.',
	}
}

/** Writes and deletes a canary, with a barrier of the same nonce, in one transaction. Answers the nonce. */
export async function emitCanary(sql: Sql): Promise<string> {
	const nonce = crypto.randomUUID()
	await sql.begin(async (tx) => {
		await tx`insert into reprieve.canary (nonce, note) values (${nonce}, 'proof')`
		await tx`delete from reprieve.canary where nonce = ${nonce}`
		await tx`select pg_logical_emit_message(true, 'reprieve.barrier', ${nonce}::text)`
	})
	return nonce
}

/** Waits until the barrier's transaction is in the vault; false when the deadline (milliseconds since 1970) passes. */
export async function passBarrier(sql: Sql, nonce: string, deadline: number): Promise<boolean> {
	for (;;) {
		const passed = await sql`select from reprieve.barriers where nonce = ${nonce}`
		if (passed.length > 0) return true
		if (performance.now() > deadline) return false
		await new Promise((resolve) => setTimeout(resolve, pollMs))
	}
}

async function markReady(sql: Sql, settled: Pending[], nonce: string): Promise<number[]> {
	const rows = await sql<{ oid: number }[]>`
		update reprieve.protected_tables p set status = 'ready', proof_nonce = ${nonce},
			protected_since = coalesce(p.protected_since, clock_timestamp())
		from unnest(${arrayLiteral(settled.map((table) => table.oid))}::int8[],
			${arrayLiteral(settled.map((table) => table.xid))}::text[]) s(oid, xid)
		where p.oid = s.oid and p.changed_xid = s.xid and p.status = 'pending'
		returning p.oid::float8 as oid`
	return rows.map((row) => row.oid)
}
