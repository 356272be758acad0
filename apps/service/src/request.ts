import { AsyncLocalStorage } from 'node:async_hooks'

/** The HTTP request that the running code serves. */
export const request = new AsyncLocalStorage<{ id: string }>()

/** Id of the current request: in every answer's `X-Request-Id`, every problem and every log line. */
export function requestId(): string {
	return request.getStore()?.id ?? 'none'
}
