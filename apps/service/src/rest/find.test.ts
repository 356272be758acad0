import { expect, test } from 'vitest'
import { finderOf } from './find.ts'

const routes = [
	{ method: 'get', path: '/runs' },
	{ method: 'post', path: '/runs' },
	{ method: 'get', path: '/runs/{id}' },
	{ method: 'post', path: '/runs/{id}/pause' },
	{ method: 'post', path: '/runs/preview' },
	{ method: 'post', path: '/runs/{id}' },
] as const
const { find, methodsOf } = finderOf(routes)
const found = (method: string, path: string) => {
	const { route, given } = find(method, path) ?? {}
	return [route?.path, given?.id]
}

test.each([
	['GET', '/runs', '/runs', undefined],
	['GET', '/runs/a', '/runs/{id}', 'a'],
	['POST', '/runs/a/pause', '/runs/{id}/pause', 'a'],
	['GET', '/runs/preview', '/runs/{id}', 'preview'],
	['POST', '/runs/preview', '/runs/preview', undefined],
	['POST', '/runs/preview/pause', '/runs/{id}/pause', 'preview'],
	['GET', '/runs/a%2Fb%20%zz', '/runs/{id}', 'a/b %zz'],
	['GET', '/runs/', undefined, undefined],
	['GET', '/runs/a/', undefined, undefined],
	['GET', '/runs/a/b', undefined, undefined],
	['GET', '/Runs', undefined, undefined],
	['PUT', '/runs', undefined, undefined],
])('%s %s is found under %s', (method, path, place, id) => {
	expect(found(method, path)).toEqual([place, id])
})

test('a path has the methods of all its routes', () => {
	expect(methodsOf('/runs')).toEqual(['GET', 'POST'])
	expect(methodsOf('/runs/a/pause')).toEqual(['POST'])
	expect(methodsOf('/runs/a/b')).toEqual([])
})
