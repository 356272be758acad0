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

	/** Headers come by name, as a record or as names and values in turn; a reason may stand before them. */
	override writeHead(status: number, ...rest: unknown[]): this {
		const reason = typeof rest[0] === 'string' ? [rest[0]] : []
		const own = rest[reason.length] as OutgoingHttpHeaders | unknown[] | undefined
		const headers = { ...secureHeaders, 'x-request-id': this.id, ...(Array.isArray(own) ? inTurn(own) : own) }
		return super.writeHead(status, ...(reason as []), headers)
	}
}

function inTurn(list: unknown[]): OutgoingHttpHeaders {
	const pairs = Array.isArray(list[0]) ? list : list.flatMap((name, at) => (at % 2 ? [] : [[name, list[at + 1]]]))
	return Object.fromEntries(pairs as [string, string][])
}
