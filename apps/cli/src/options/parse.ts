import { readFileSync } from 'node:fs'
import { ReprieveError, type Row } from '@reprieve/contracts'

/** JSON from the argument, or from a file as `@path`. Throws INVALID. */
export function parseJson(text: string): never {
	try {
		return JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text) as never
	} catch (cause) {
		throw new ReprieveError('INVALID', `"${text}" is not JSON: ${(cause as Error).message}`, { cause })
	}
}

/** A key: `id=5`, `order_id=7,line=2`, or JSON. Values stay PostgreSQL's text. Throws INVALID. */
export function parseKey(text: string): Row {
	if (text.startsWith('{') || text.startsWith('@')) return parseJson(text)
	const pairs = text.split(',').map((part) => {
		const at = part.indexOf('=')
		if (at < 1) throw new ReprieveError('INVALID', `"${text}" is not a key`, { hint: 'Write column=value, or JSON.' })
		return [part.slice(0, at), part.slice(at + 1)]
	})
	return Object.fromEntries(pairs)
}

/** Appends to an option that may be given several times. */
export function collect<T>(parse: (text: string) => T): (text: string, before: T[] | undefined) => T[] {
	return (text, before = []) => [...before, parse(text)]
}

/** Names separated by commas. */
export function parseNames(text: string): string[] {
	return text.split(',').map((name) => name.trim())
}

/** A whole number. Throws INVALID. */
export function parseCount(text: string): number {
	if (!/^\d{1,15}$/.test(text)) throw new ReprieveError('INVALID', `"${text}" is not a whole number`)
	return Number(text)
}

/** Two times of day: `22:00-06:00`. Throws INVALID. */
export function parseWindow(text: string): { from: string; to: string } {
	const [, from, to] = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) ?? []
	if (from && to) return { from, to }
	throw new ReprieveError('INVALID', `"${text}" is not a window`, { hint: 'Write two times of day: 22:00-06:00.' })
}
