import type { AppRouter } from '@reprieve/service'
import {
	httpBatchLink,
	httpLink,
	httpSubscriptionLink,
	type Operation,
	retryLink,
	splitLink,
	type TRPCLink,
} from '@trpc/client'
import { observable } from '@trpc/server/observable'
import { EventSource } from 'eventsource'
import { isRetryable } from './errors.ts'
import { newKey, takesKey } from './idempotency.ts'

/** Where the service is and how calls reach it. */
export type Connection = {
	/** Address of tRPC, without a slash at the end. */
	url: string
	authorization(): Promise<string>
	fetch: typeof fetch
	/** For one attempt, besides what the call itself asks the service to wait; five times that for plans and previews. */
	timeoutMs: number
	/** Attempts after the first. */
	retries: number
}

/** Queries go by POST, at most 20 a batch; mutations and calls that wait go alone; subscriptions by server-sent events. */
export function linksTo(connection: Connection): TRPCLink<AppRouter>[] {
	const { url, fetch } = connection
	const http = { url, fetch, methodOverride: 'POST' as const, headers: () => headersOf(connection) }
	return [
		fillKeys,
		retryLink({
			retry: ({ op, error, attempts }) => attempts <= connection.retries && isRepeatable(op) && isRetryable(error),
			retryDelayMs: (attempt) => Math.random() * Math.min(8_000, 250 * 2 ** attempt),
		}),
		limitTime(connection.timeoutMs),
		splitLink({
			condition: (op) => op.type === 'subscription',
			true: httpSubscriptionLink({
				url,
				EventSource,
				eventSourceOptions: { fetch: (input, init) => fetchEvents(connection, input, init) },
			}),
			false: splitLink({
				condition: (op) => op.type === 'mutation' || waitOf(op) > 0,
				true: httpLink(http),
				false: httpBatchLink({ ...http, maxItems: 20 }),
			}),
		}),
	]
}

async function headersOf(connection: Connection): Promise<Record<string, string>> {
	return { authorization: await connection.authorization() }
}

/** Carries the key in a header: the browser's own EventSource cannot. */
async function fetchEvents(connection: Connection, input: string | URL, init: object): Promise<Response> {
	const given = init as { headers?: Record<string, string>; signal?: AbortSignal }
	return connection.fetch(input, { ...given, headers: { ...given.headers, ...(await headersOf(connection)) } })
}

/** A key is filled before the first attempt, so that every attempt carries the same one. */
const fillKeys: TRPCLink<AppRouter> =
	() =>
	({ op, next }) => {
		if (op.type !== 'mutation' || !takesKey(op.path) || keyOf(op)) return next(op)
		return next({ ...op, input: { ...(op.input as object), idempotencyKey: newKey() } })
	}

function isRepeatable(op: Operation): boolean {
	return op.type === 'query' || (op.type === 'mutation' && (!takesKey(op.path) || keyOf(op) !== undefined))
}

/** Calls that read whole selections before they answer: given up too early, they are asked again while still at work. */
const evaluating: ReadonlySet<string> = new Set(['plans.create', 'restores.preview', 'restores.start'])

function limitTime(timeoutMs: number): TRPCLink<AppRouter> {
	return () =>
		({ op, next }) => {
			if (op.type === 'subscription') return next(op)
			return observable((observer) => {
				const timeout = AbortSignal.timeout(timeoutMs * (evaluating.has(op.path) ? 5 : 1) + waitOf(op))
				const signal = op.signal ? AbortSignal.any([op.signal, timeout]) : timeout
				return next({ ...op, signal }).subscribe(observer)
			})
		}
}

/** Milliseconds that the call asks the service to wait. */
function waitOf(op: Operation): number {
	const { wait, timeoutMs } = (op.input ?? {}) as { wait?: unknown; timeoutMs?: unknown }
	return (typeof wait === 'number' ? wait * 1000 : 0) + (typeof timeoutMs === 'number' ? timeoutMs : 0)
}

function keyOf(op: Operation): string | undefined {
	const key = ((op.input ?? {}) as { idempotencyKey?: unknown }).idempotencyKey
	return typeof key === 'string' ? key : undefined
}
