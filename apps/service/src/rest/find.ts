import { tryDecodeURIComponent } from 'hono/utils/url'
import type { Route } from './route.ts'

type Place = Pick<Route, 'method' | 'path'>

/** A route that was found, and the parameters of its path. */
type Found<R> = { route: R; given: Record<string, string> }

type Finder<R> = {
	/** The route of a method and a path. A path that has no parameters comes before one that has. */
	find(method: string, path: string): Found<R> | undefined
	/** The methods under which a path has a route, in capitals. */
	methodsOf(path: string): string[]
}

/** Finds routes by method and path, as a router does: its own would walk one tree of all paths for each request. */
export function finderOf<R extends Place>(routes: readonly R[]): Finder<R> {
	const fixed = new Map(routes.map((route) => [`${methodOf(route)} ${route.path}`, { route, given: {} }]))
	const all = routes.map((route) => ({ route, method: methodOf(route), ...patternOf(route.path) }))
	const open = Map.groupBy(
		all.filter(({ route }) => route.path.includes('{')),
		({ method }) => method,
	)
	return {
		find(method, path) {
			const found = fixed.get(`${method} ${path}`)
			if (found) return found
			for (const { route, pattern, names } of open.get(method) ?? []) {
				const match = pattern.exec(path)
				if (match) return { route, given: readParameters(names, match) }
			}
			return undefined
		},
		methodsOf: (path) => all.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method),
	}
}

function methodOf({ method }: Place): string {
	return method.toUpperCase()
}

/** What a path looks like, and its parameters in their order: groups with names of their own would cost more than all else here. */
function patternOf(path: string): { pattern: RegExp; names: string[] } {
	const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
	return { pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '([^/]+)')}$`), names }
}

function readParameters(names: readonly string[], match: RegExpExecArray): Record<string, string> {
	const given: Record<string, string> = {}
	for (const [at, name] of names.entries()) given[name] = decoded(match[at + 1] ?? '')
	return given
}

function decoded(text: string): string {
	return text.includes('%') ? tryDecodeURIComponent(text) : text
}
