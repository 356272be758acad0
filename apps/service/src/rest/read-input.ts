import { ReprieveError } from '@reprieve/contracts'
import type { Context } from 'hono'
import { readText, refuseRepeatedMembers } from '../body.ts'
import type { Asked } from './ask.ts'
import type { QueryType, Route } from './route.ts'

/** A body of another media type than JSON; REST answers 415. */
export const unsupportedMediaType = 'the body is not application/json'

/**
 * Reads a procedure's input from path, query string, body and `Idempotency-Key`. Nothing is coerced but the query string.
 */
export function inputReader(
	route: Route,
	hasIdempotencyKey: boolean,
): (asked: Asked) => Promise<Record<string, unknown>> {
	const { method, query = {} } = route
	return async ({ c, given }) => {
		const outside = { ...readQuery(c.req.queries(), query), ...given }
		if (method === 'get') return outside
		const body = await readBody(c)
		refuseReserved(body, [...Object.keys(outside), ...Object.keys(query), 'idempotencyKey'])
		const key = c.req.header('idempotency-key')
		return { ...body, ...outside, ...(key !== undefined && hasIdempotencyKey ? { idempotencyKey: key } : {}) }
	}
}

function refuseReserved(body: Record<string, unknown>, reserved: string[]): void {
	const strange = reserved.filter((name) => Object.hasOwn(body, name))
	if (strange.length === 0) return
	const issues = strange.map((path) => ({ path, message: 'does not belong in the body' }))
	throw new ReprieveError('INVALID', `${strange.join(', ')} does not belong in the body`, { issues })
}

function readQuery(given: Record<string, string[]>, types: Record<string, QueryType>): Record<string, unknown> {
	const entries = Object.entries(given).map(([name, values]) => {
		const type = Object.hasOwn(types, name) ? types[name] : undefined
		if (!type) throw invalid(name, 'is no parameter of this call')
		const [text = ''] = values
		if (values.length > 1) throw invalid(name, `is given ${values.length} times`)
		return [name, readers[type](text, name)]
	})
	return Object.fromEntries(entries)
}

const readers: Record<QueryType, (text: string, name: string) => unknown> = {
	text: (text) => text,
	integer: (text, name) => number(text, name, /^-?\d{1,15}$/, 'a whole number'),
	seconds: (text, name) => number(text, name, /^\d{1,9}(\.\d{1,30})?(e-?\d{1,3})?$/i, 'a number of seconds'),
	boolean(text, name) {
		if (text === 'true' || text === 'false') return text === 'true'
		throw invalid(name, 'is not true or false')
	},
	json(text, name) {
		refuseRepeatedMembers(text)
		try {
			return JSON.parse(text)
		} catch {
			throw invalid(name, 'is not JSON')
		}
	},
}

function number(text: string, name: string, shape: RegExp, what: string): number {
	if (shape.test(text)) return Number(text)
	throw invalid(name, `is not ${what}`)
}

async function readBody(c: Context): Promise<Record<string, unknown>> {
	const text = await readText(c)
	if (text === '') return {}
	if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) {
		throw new ReprieveError('INVALID', unsupportedMediaType, { hint: 'Send Content-Type: application/json.' })
	}
	const body = parse(text)
	if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>
	throw new ReprieveError('INVALID', 'the body is not a JSON object')
}

function parse(text: string): unknown {
	try {
		return JSON.parse(text)
	} catch (cause) {
		throw new ReprieveError('INVALID', 'the body is not JSON', { cause })
	}
}

function invalid(path: string, message: string): ReprieveError {
	return new ReprieveError('INVALID', `${path} ${message}`, { issues: [{ path, message }] })
}
