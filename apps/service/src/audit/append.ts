import { audit, type ControlTransaction } from '@reprieve/control'
import { desc, sql } from 'drizzle-orm'
import type { Services } from '../context.ts'
import { type ChainedEntry, hashEntry } from './chain.ts'

export type Act = {
	principal: { id: string; role: string }
	/** Procedure, for example `runs.start`. */
	act: string
	target?: string
	/** `asked` before the act, then `ok` or the code of the refusal. */
	outcome: string
	requestId: string
	/** Names and ids alone, never a cell's value: entries are kept for ever. */
	detail?: Record<string, unknown>
}

/** Appends one entry to the chain, serialised over all services by an advisory lock until the transaction ends. */
export async function appendAudit(tx: ControlTransaction, services: Services, act: Act): Promise<void> {
	await tx.execute(sql`select pg_advisory_xact_lock(7236514202)`)
	const [head] = await tx.select({ seq: audit.seq, hash: audit.hash }).from(audit).orderBy(desc(audit.seq)).limit(1)
	const entry = chained(act, services.clock.now(), head)
	await tx.insert(audit).values({ ...entry, hash: hashEntry(entry) })
}

function chained(act: Act, at: Date, head: { seq: bigint; hash: string } | undefined): ChainedEntry {
	return {
		seq: (head?.seq ?? 0n) + 1n,
		at: at.toISOString().replace('Z', '000Z'),
		principal: act.principal.id,
		role: act.principal.role,
		act: act.act,
		target: act.target === undefined ? null : storable(act.target),
		outcome: act.outcome,
		requestId: act.requestId,
		detail: act.detail ? (JSON.parse(storable(JSON.stringify(act.detail))) as Record<string, unknown>) : null,
		previous: head?.hash ?? '',
	}
}

/** PostgreSQL text holds neither NUL nor half a surrogate pair: a refusal that names one must be recorded all the same. */
function storable(text: string): string {
	return text
		.toWellFormed()
		.replaceAll('\0', '\ufffd')
		.replaceAll('\\u0000', '\\ufffd')
		.replace(/\\ud[89a-f]../gi, '\\ufffd')
}
