import type { AppRouter } from '@reprieve/service'
import { createTRPCClient, type TRPCClient } from '@trpc/client'
import { toReprieveError } from './transport/errors.ts'
import { linksTo } from './transport/links.ts'

export type ClientOptions = {
	/** Address of the service, for example `http://127.0.0.1:4400`. */
	url: string | URL
	/** Default: the platform's own. */
	fetch?: typeof fetch
	/** Milliseconds for one attempt of one call, five times that to make a plan, preview or start a restore. Default 60,000. */
	timeoutMs?: number
	/** Attempts after the first, of calls that may be repeated. Default 4. */
	retries?: number
} & ({ apiKey: string; token?: never } | { token: () => Promise<string>; apiKey?: never })

/** The raw typed client of every procedure. */
export type Raw = TRPCClient<AppRouter>

/** Opens the raw client; nothing is sent before the first call. */
export function connect(options: ClientOptions): Raw {
	const url = `${String(options.url).replace(/\/+$/, '')}/trpc/v1`
	const secret = options.token ?? (async () => options.apiKey)
	return createTRPCClient<AppRouter>({
		links: linksTo({
			url,
			authorization: async () => `Bearer ${await secret()}`,
			fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
			timeoutMs: options.timeoutMs ?? 60_000,
			retries: options.retries ?? 4,
		}),
	})
}

/** The answer of a raw call; its error as a ReprieveError. */
export async function answer<T>(call: Promise<T>): Promise<T> {
	try {
		return await call
	} catch (error) {
		throw toReprieveError(error)
	}
}
