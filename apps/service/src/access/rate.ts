import { ReprieveError } from '@reprieve/contracts'

/** Counts calls of one caller over a sliding minute; in this process alone. */
export type RateLimit = {
	/** Throws RATE_LIMITED when the caller has used up its minute. */
	take(caller: string): void
}

/** A token bucket per caller: `perMinute` calls a minute, all of them at once when saved up. */
export function createRateLimit(perMinute: number, now: () => number): RateLimit {
	const buckets = new Map<string, { tokens: number; at: number }>()
	return {
		take(caller) {
			if (buckets.size > 10_000) dropFull(buckets, perMinute, now())
			const bucket = buckets.get(caller) ?? { tokens: perMinute, at: now() }
			const tokens = refilled(bucket, perMinute, now())
			buckets.set(caller, { tokens: Math.max(0, tokens - 1), at: now() })
			if (tokens >= 1) return
			throw new ReprieveError('RATE_LIMITED', `more than ${perMinute} calls in a minute`, {
				hint: 'Wait a few seconds and call again.',
			})
		},
	}
}

function refilled(bucket: { tokens: number; at: number }, perMinute: number, at: number): number {
	return Math.min(perMinute, bucket.tokens + ((at - bucket.at) / 60_000) * perMinute)
}

function dropFull(buckets: Map<string, { tokens: number; at: number }>, perMinute: number, at: number): void {
	for (const [caller, bucket] of buckets) if (refilled(bucket, perMinute, at) >= perMinute) buckets.delete(caller)
}
