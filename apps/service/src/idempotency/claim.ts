import { ReprieveError } from '@reprieve/contracts'
import { sql } from 'drizzle-orm'
import type { Services } from '../context.ts'
import { idOf } from './id.ts'

/** One call under its key; `body` is a digest of everything else that the caller sent. */
export type KeyedCall = { principal: string; procedure: string; key: string; body: string }

/** A crashed call's key is free again after so long; a live one renews its claim. */
const claimSeconds = 30

/**
 * Takes the key for this call, or answers with what the first call got. The id is that of whatever the call makes: where a
 * process ended after its work was done and before the answer was kept, the same call finds it there. Throws
 * IDEMPOTENCY_MISMATCH when the key came with another body within 7 days, CONFLICT (retryable) while the first call is still
 * in flight.
 */
export async function claimKey(services: Services, call: KeyedCall): Promise<{ id: string } | { answer: unknown }> {
	const [row] = await services.control.db.execute<ClaimRow>(sql`
		with claimed as (
			insert into reprieve.idempotency as i (principal, procedure, key, body_hash, created_at, in_flight_until)
			values (${call.principal}, ${call.procedure}, ${call.key}, ${call.body}, now(), now() + ${claimSeconds} * interval '1 second')
			on conflict (principal, procedure, key) do update
				set body_hash = excluded.body_hash, answer = null, in_flight_until = excluded.in_flight_until,
					created_at = case when ${isForgotten} then excluded.created_at else i.created_at end
				where ${isForgotten}
					or (i.answer is null and i.in_flight_until < now() and i.body_hash = excluded.body_hash)
			returning i.created_at, i.created_at < now() as "isRepeated"
		)
		select extract(epoch from created_at)::text as claimed, "isRepeated", true as same, null as answer from claimed
		union all
		select null, true, i.body_hash = ${call.body}, i.answer #>> '{}' from reprieve.idempotency i
		where i.principal = ${call.principal} and i.procedure = ${call.procedure} and i.key = ${call.key}
			and not exists (select from claimed)`)
	if (row?.claimed) {
		const { procedure, key } = call
		if (row.isRepeated) services.log.warn({ procedure, key }, 'a call that was cut off is repeated')
		return { id: idOf([call.principal, procedure, key, row.claimed]) }
	}
	if (row && !row.same) {
		throw new ReprieveError(
			'IDEMPOTENCY_MISMATCH',
			`the idempotency key "${call.key}" came with another request before`,
			{
				hint: 'Use a new key for a new request.',
			},
		)
	}
	if (row?.answer) return { answer: JSON.parse(row.answer) }
	throw new ReprieveError('CONFLICT', `the first call with the idempotency key "${call.key}" is still in flight`, {
		retryable: true,
		hint: 'Call again in a moment with the same key.',
	})
}

type ClaimRow = { claimed: string | null; isRepeated: boolean; same: boolean; answer: string | null }

const isForgotten = sql`i.created_at < now() - interval '7 days'`

/** Renews a claim until it is stopped: a call may take longer than a crashed one is waited for. */
export function keepClaim(services: Services, call: KeyedCall): () => void {
	const timer = setInterval(() => {
		renew(services, call).catch((err) => services.log.warn({ err, procedure: call.procedure }, 'claim not renewed'))
	}, claimSeconds * 300)
	return () => clearInterval(timer)
}

async function renew(services: Services, call: KeyedCall): Promise<void> {
	await services.control.sql`
		update reprieve.idempotency set in_flight_until = now() + ${claimSeconds} * interval '1 second'
		where principal = ${call.principal} and procedure = ${call.procedure} and key = ${call.key} and answer is null`
}
