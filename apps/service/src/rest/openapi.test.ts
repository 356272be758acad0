import { expect, test } from 'vitest'
import { router } from '../router.ts'
import { openApiDocument } from './openapi.ts'
import { declared } from './procedure.ts'
import { routes } from './routes.ts'

type Operation = {
	operationId: string
	parameters?: { name: string; in: string }[]
	requestBody?: { content: { 'application/json': { schema: { properties: object }; example?: object } } }
	responses: Record<string, { content: Record<string, unknown> }>
}
const document = openApiDocument() as {
	paths: Record<string, Record<string, Operation>>
	components: { schemas: Record<string, unknown> }
}
const operations = Object.values(document.paths).flatMap((path) => Object.values(path))

/** The calls of the contract, each as it is spelled there. */
const contract = [
	'POST /api/v1/tables/protect',
	'POST /api/v1/tables/unprotect',
	'GET /api/v1/tables',
	'GET /api/v1/tables/{table}',
	'POST /api/v1/plans',
	'GET /api/v1/plans/{id}',
	'GET /api/v1/plans/{id}/rows',
	'POST /api/v1/plans/{id}/approve',
	'POST /api/v1/plans/{id}/discard',
	'POST /api/v1/runs',
	'GET /api/v1/runs/{id}',
	'POST /api/v1/runs/{id}/pause',
	'POST /api/v1/runs/{id}/resume',
	'POST /api/v1/runs/{id}/cancel',
	'GET /api/v1/archive/changes',
	'POST /api/v1/archive/search',
	'POST /api/v1/archive/barrier',
	'POST /api/v1/restores/preview',
	'POST /api/v1/restores',
	'GET /api/v1/restores/{id}',
	'GET /api/v1/restores/{id}/report',
	'POST /api/v1/restores/{id}/pause',
	'POST /api/v1/restores/{id}/resume',
	'POST /api/v1/restores/{id}/cancel',
	'POST /api/v1/restores/{id}/undo',
	'GET /api/v1/system/status',
	'GET /api/v1/system/incidents',
	'POST /api/v1/system/incidents/{id}/resolve',
	'POST /api/cleanup/duplicates',
	'POST /api/cleanup/stale',
	'POST /api/cleanup/orphans',
	'POST /api/cleanup/incomplete',
	'POST /api/cleanup/match',
]

test('every call of the contract is served and described', () => {
	const served = routes.map((route) => `${route.method.toUpperCase()} ${route.path}`)
	expect(served).toEqual(expect.arrayContaining(contract))
	const described = Object.entries(document.paths).flatMap(([path, methods]) =>
		Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
	)
	expect(described.sort()).toEqual(served.sort())
})

test('every procedure but the subscriptions has a REST call, and each noun its list', () => {
	const served = new Set(routes.map((route) => route.procedure))
	const procedures = Object.entries(router._def.procedures as unknown as Record<string, { _def: { type: string } }>)
	expect(procedures.filter(([path, { _def }]) => _def.type !== 'subscription' && !served.has(path))).toEqual([])
	const subscriptions = procedures.filter(([, { _def }]) => _def.type === 'subscription').map(([path]) => path)
	expect(subscriptions.every((path) => path.endsWith('.watch'))).toBe(true)
	for (const noun of ['tables', 'policies', 'plans', 'runs', 'restores', 'tokens', 'audit']) {
		expect(procedures.map(([path]) => path)).toContain(`${noun}.list`)
	}
})

test('a GET is a query, and what changes something is never one', () => {
	for (const route of routes) {
		if (route.method === 'get') expect([route.path, declared(route).type]).toEqual([route.path, 'query'])
	}
})

test('each query parameter and path parameter is a field of the input, and a GET leaves none out', () => {
	for (const route of routes) {
		const fields = Object.keys(declared(route).input.shape)
		const path = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
		const outside = [...path, ...Object.keys(route.query ?? {})]
		expect(fields).toEqual(expect.arrayContaining(outside as string[]))
		if (route.method === 'get') expect([route.path, outside.sort()]).toEqual([route.path, fields.sort()])
	}
})

test('every reference of the document leads somewhere', () => {
	const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target as string)
	const names = new Set(references.map((reference) => reference.replace('#/components/schemas/', '')))
	expect([...names].filter((name) => !(name in document.components.schemas))).toEqual([])
	expect(JSON.stringify(document)).not.toContain('$defs')
})

test('operation ids are unique and every operation describes its refusals as problems', () => {
	const ids = operations.map((operation) => operation.operationId)
	expect(new Set(ids).size).toBe(ids.length)
	for (const { responses } of operations) {
		for (const status of ['400', '401', '403', '429', '500', '503']) {
			expect(Object.keys(responses[status]?.content ?? {})).toEqual(['application/problem+json'])
		}
	}
})

test('the example of a body is one that the procedure takes', () => {
	for (const route of routes.filter((route) => route.example)) {
		const path = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name as string, 'some-id'])
		const result = declared(route).input.safeParse({ ...Object.fromEntries(path), ...route.example })
		expect([route.path, result.error?.issues ?? []]).toEqual([route.path, []])
	}
})

test('every strict input refuses an unknown field', () => {
	for (const route of routes) {
		const result = declared(route).input.safeParse({ ...route.example, surprise: 1 })
		expect(result.error?.issues.some((issue) => issue.code === 'unrecognized_keys')).toBe(true)
	}
})

test('answers may grow: no schema of an answer refuses unknown members', () => {
	expect(JSON.stringify(document.components.schemas.Run)).not.toContain('"additionalProperties":false')
})
