import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { RequestError } from '@hono/node-server'
import { ReprieveError } from '@reprieve/contracts'
import { problemOf } from './errors.ts'
import { request } from './request.ts'
import { problemResponse } from './rest/answer.ts'

/** Headers that say one thing: of two, whoever stands in between may have taken the other one. */
const singles = ['host', 'authorization', 'content-type', 'content-encoding', 'idempotency-key'] as const

/** The refusal of a request whose headers leave open what it says; undefined when they do not. */
export function refuseAmbiguous({ headersDistinct, httpVersion }: IncomingMessage): Response | undefined {
	if (!headersDistinct.host && httpVersion !== '1.0') {
		return problemResponse(new ReprieveError('INVALID', 'the header host is missing'))
	}
	const twice = singles.find((name) => (headersDistinct[name]?.length ?? 0) > 1)
	if (twice) return problemResponse(new ReprieveError('INVALID', `the header ${twice} is given more than once`))
	const encoding = headersDistinct['content-encoding']?.[0]
	if (!encoding || encoding === 'identity') return undefined
	const error = new ReprieveError('INVALID', `the content encoding ${encoding} is not read`, {
		hint: 'Send the body as it is.',
	})
	return problemResponse(error, { status: 415, headers: { 'accept-encoding': 'identity' } })
}

/** The answer to a request line, or a Host, that names no address. */
export function refuseAddress(error: unknown, id: string): Response {
	return request.run({ id }, () => {
		const cause = error instanceof RequestError ? new ReprieveError('INVALID', error.message) : error
		return problemResponse(cause, { headers: { 'x-request-id': id } })
	})
}

type ParserError = Error & { code?: string; reason?: string }

/** Answers bytes that are no request, or that did not come in time, and hangs up. The status, where there is an answer. */
export function refuseBytes(
	error: ParserError,
	socket: Duplex,
	{ id, isAnswering }: { id: string; isAnswering: boolean },
): number | undefined {
	if (isAnswering || !socket.writable) {
		socket.destroy()
		return undefined
	}
	const [status, refusal] = readParserError(error)
	socket.end(rawProblem(status, refusal, id), () => socket.destroy())
	return status
}

function rawProblem(status: number, refusal: ReprieveError, id: string): string {
	const body = JSON.stringify(problemOf(refusal, id, status))
	return [
		`HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
		'content-type: application/problem+json',
		`content-length: ${Buffer.byteLength(body)}`,
		`x-request-id: ${id}`,
		'cache-control: no-store',
		'connection: close',
		'',
		body,
	].join('\r\n')
}

function readParserError({ code, reason }: ParserError): [status: number, refusal: ReprieveError] {
	switch (code) {
		case 'HPE_HEADER_OVERFLOW':
			return [431, new ReprieveError('TOO_LARGE', 'the request line and its headers are larger than 16 KiB')]
		case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
			return [413, new ReprieveError('TOO_LARGE', 'the extensions of a chunk are too large')]
		case 'ERR_HTTP_REQUEST_TIMEOUT':
			return [408, new ReprieveError('INVALID', 'the request did not come whole in time', { retryable: true })]
		default:
			return [400, new ReprieveError('INVALID', `these bytes are no HTTP request: ${reason ?? 'cut off'}`)]
	}
}
