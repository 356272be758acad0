import { randomUUID } from 'node:crypto'
import { type OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Of every answer that does not bring its own. */
const secureHeaders = {
	'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
	'x-content-type-options': 'nosniff',
	'x-frame-options': 'DENY',
	'referrer-policy': 'no-referrer',
	'cross-origin-opener-policy': 'same-origin',
	'cross-origin-resource-policy': 'same-origin',
	'permissions-policy': 'camera=(), geolocation=(), microphone=()',
	'cache-control': 'no-store',
}

/**
 * Node's answer, with the id of its request and the headers that all answers have. They are written with the answer's own at
 * once: set one by one, or in a Headers of each answer, they would cost more than the rest.
 */
export class Answer extends ServerResponse {
	readonly id = randomUUID()

	/** Headers come by name, as Hono's adapter and Node itself give them. */
	override writeHead(status: number, headers?: unknown): this {
		return super.writeHead(status, { ...secureHeaders, 'x-request-id': this.id, ...(headers as OutgoingHttpHeaders) })
	}
}
