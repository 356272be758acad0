import { type ControlTransaction, idempotency } from '@reprieve/control'
import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Services } from '../context.ts'
import type { KeyedCall } from './claim.ts'

/** Stores the first answer of a claimed key; as JSON text, since jsonb would put the members in another order. */
export async function settleKey(tx: ControlTransaction, call: KeyedCall, answer: unknown): Promise<void> {
	await tx
		.update(idempotency)
		.set({ answer: JSON.stringify(answer), inFlightUntil: null })
		.where(and(isCall(call), isNull(idempotency.answer)))
}

/** Gives a claimed key back: the call may be repeated. */
export async function freeKey(tx: ControlTransaction, call: KeyedCall): Promise<void> {
	await tx.delete(idempotency).where(and(isCall(call), isNull(idempotency.answer)))
}

/** Forgets answers older than 7 days. */
export async function forgetOldKeys(services: Services): Promise<void> {
	await services.control.db.delete(idempotency).where(sql`${idempotency.createdAt} < now() - interval '7 days'`)
}

function isCall(call: KeyedCall) {
	return and(
		eq(idempotency.principal, call.principal),
		eq(idempotency.procedure, call.procedure),
		eq(idempotency.key, call.key),
	)
}
