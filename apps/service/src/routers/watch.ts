import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobStatus } from '@reprieve/contracts'
import { tracked } from '@trpc/server'
import { asReprieveError, asTrpcError } from '../errors.ts'

const pollMs = 500
const final: ReadonlySet<JobStatus> = new Set(['cancelled', 'succeeded', 'failed'])

/**
 * Each new state of a job until it is final. The event's id is a digest of the state: a client that reconnects with it
 * gets nothing twice and misses nothing that still matters.
 */
export async function* watchJob<J extends { status: JobStatus }>(
	read: () => Promise<J>,
	lastEventId: string | undefined,
	signal: AbortSignal | undefined,
) {
	let seen = lastEventId
	while (!signal?.aborted) {
		const job = await read().catch(refuse)
		const id = createHash('sha256').update(JSON.stringify(job)).digest('base64url').slice(0, 22)
		if (id !== seen) yield tracked(id, job)
		if (final.has(job.status)) return
		seen = id
		await sleep(pollMs, undefined, { signal }).catch(() => {})
	}
}

/** A client takes tRPC's own INTERNAL_SERVER_ERROR as a reason to reconnect for ever: the code must be the refusal's. */
function refuse(error: unknown): never {
	throw asTrpcError(asReprieveError(error))
}
