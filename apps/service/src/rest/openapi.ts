import { type ErrorCode, httpStatus, problem, ReprieveError } from '@reprieve/contracts'
import type { ZodType } from 'zod'
import { problemOf, titles } from '../errors.ts'
import { version } from '../version.ts'
import { type Declared, declared } from './procedure.ts'
import type { Route } from './route.ts'
import { routes } from './routes.ts'
import { createSchemaBook, type JsonSchema, type SchemaBook } from './schemas.ts'

/** The OpenAPI 3.1 document of REST, made of the same procedures that answer. */
export function openApiDocument(): Record<string, unknown> {
	const book = createSchemaBook()
	book.add(problem, 'output')
	// Outputs first: where an input differs from the output of the same name, the input takes the longer name.
	for (const route of routes) book.add(declared(route).output, 'output')
	const paths: Record<string, Record<string, unknown>> = {}
	for (const route of routes) {
		paths[route.path] = { ...paths[route.path], [route.method]: operation(route, declared(route), book) }
	}
	return {
		openapi: '3.1.0',
		info: {
			title: 'reprieve',
			version,
			summary: 'Cleans up PostgreSQL and can take every deletion back',
			license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
		},
		servers: [{ url: '/' }],
		security: [{ key: [] }],
		tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
		paths,
		components: {
			securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key (`rk_...`).' } },
			schemas: book.components,
		},
	}
}

function operation(route: Route, procedure: Declared, book: SchemaBook): Record<string, unknown> {
	const input = book.add(procedure.input, 'input') as { properties?: Record<string, JsonSchema>; required?: string[] }
	const properties = input.properties ?? {}
	const parameters = [
		...pathNames(route).map((name) => ({ name, in: 'path', required: true, schema: properties[name] ?? {} })),
		...Object.keys(route.query ?? {}).map((name) =>
			queryParameter(route, name, properties[name] ?? {}, input.required),
		),
		...(isKeyed(procedure) ? [idempotencyHeader] : []),
	]
	return {
		operationId: operationId(route),
		summary: route.summary,
		description: `Needs the role ${procedure.meta.role}.`,
		tags: [route.tag],
		...(parameters.length > 0 ? { parameters } : {}),
		...(route.method === 'get' ? {} : { requestBody: requestBody(route, input) }),
		responses: { ...successes(route, book.add(procedure.output as ZodType, 'output')), ...refusals(route, procedure) },
	}
}

const idempotencyHeader = {
	name: 'Idempotency-Key',
	in: 'header',
	description: 'The same key with the same body gets the first answer again, for 7 days.',
	schema: { type: 'string', minLength: 1, maxLength: 200 },
}

function operationId(route: Route): string {
	const isSecond = routes.find((other) => other.procedure === route.procedure) !== route
	const [noun, verb = ''] = route.procedure.split('.')
	return isSecond ? `${noun}.${route.path.split('/').at(-1)}` : `${noun}.${verb}`
}

function pathNames(route: Route): string[] {
	return [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string)
}

function queryParameter(route: Route, name: string, schema: JsonSchema, required: string[] = []): JsonSchema {
	const isJson = route.query?.[name] === 'json'
	return {
		name,
		in: 'query',
		required: required.includes(name),
		...(isJson ? { content: { 'application/json': { schema } } } : { schema }),
	}
}

function requestBody(
	route: Route,
	input: { properties?: Record<string, JsonSchema>; required?: string[] },
): JsonSchema {
	const outside = new Set([...pathNames(route), ...Object.keys(route.query ?? {}), 'idempotencyKey'])
	const properties = Object.fromEntries(Object.entries(input.properties ?? {}).filter(([name]) => !outside.has(name)))
	const required = (input.required ?? []).filter((name) => !outside.has(name))
	const schema = {
		type: 'object',
		properties,
		...(required.length > 0 ? { required } : {}),
		additionalProperties: false,
	}
	const example = route.example ? { example: route.example } : {}
	return { required: required.length > 0, content: { 'application/json': { schema, ...example } } }
}

function successes(route: Route, schema: JsonSchema): Record<string, unknown> {
	const statuses = route.statuses ?? [200]
	return Object.fromEntries(statuses.map((status) => [status, success(route, status, schema)]))
}

function success(route: Route, status: number, schema: JsonSchema): JsonSchema {
	const hasLocation = status !== 200 && route.answer !== undefined
	const location = { description: 'Where the work can be watched.', schema: { type: 'string' } }
	return {
		description: { 200: 'Done', 201: 'Made', 202: 'Under way' }[status] ?? 'Done',
		...(hasLocation ? { headers: { Location: location } } : {}),
		content: { 'application/json': { schema } },
	}
}

const always: ErrorCode[] = ['INVALID', 'UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED', 'INTERNAL', 'UNAVAILABLE']

/** Every refusal of the call by status, with one example a code. */
function refusals(route: Route, procedure: Declared): Record<string, unknown> {
	const body: ErrorCode[] = route.method === 'get' ? [] : ['TOO_LARGE']
	const keyed: ErrorCode[] = isKeyed(procedure) ? ['CONFLICT', 'IDEMPOTENCY_MISMATCH'] : []
	const codes = [...new Set([...always, ...body, ...keyed, ...route.errors])]
	const statuses = [...new Set(codes.map((code) => httpStatus[code]))].sort((a, b) => a - b)
	const byStatus = statuses.map((status) => [status, refusal(codes.filter((code) => httpStatus[code] === status))])
	const mediaType = route.method === 'get' ? {} : { 415: refusal(['INVALID'], 415, 'The body is not application/json') }
	return { ...Object.fromEntries(byStatus), ...mediaType, ...beforeAnyCall }
}

/** What the server refuses before it knows which call is meant. */
const beforeAnyCall = {
	408: refusal(['INVALID'], 408, 'The request did not come whole in time'),
	431: refusal(['TOO_LARGE'], 431, 'The address and the headers are larger than 16 KiB'),
}

function refusal(codes: ErrorCode[], status?: number, description?: string): JsonSchema {
	const examples = codes.map((code) => {
		const value = problemOf(new ReprieveError(code, titles[code]), '00000000-0000-4000-8000-000000000000', status)
		return [code, { value: JSON.parse(JSON.stringify(value)) as unknown }]
	})
	return {
		description: description ?? codes.map((code) => titles[code]).join('; '),
		content: {
			'application/problem+json': {
				schema: { $ref: '#/components/schemas/Problem' },
				examples: Object.fromEntries(examples),
			},
		},
	}
}

function isKeyed(procedure: Declared): boolean {
	return 'idempotencyKey' in procedure.input.shape
}
