import { isUtf8 } from 'node:buffer'
import { ReprieveError } from '@reprieve/contracts'
import type { Context } from 'hono'

const decoder = new TextDecoder()

/**
 * The body's text, read once a request. Throws INVALID for what does not come whole, for what is not UTF-8 (it would silently
 * become other characters) and for JSON that names a member twice (each reader of it would take another one).
 */
export async function readText(c: Context): Promise<string> {
	const bytes = Buffer.from(await c.req.arrayBuffer().catch(refuseBroken))
	if (!isUtf8(bytes)) throw new ReprieveError('INVALID', 'the body is not UTF-8')
	const text = decoder.decode(bytes)
	refuseRepeatedMembers(text)
	return text
}

/** Throws INVALID for a failed read of a body: the caller hung up or broke off, which looks like a lost database. */
export function refuseBroken(cause: unknown): never {
	throw new ReprieveError('INVALID', 'the body did not come whole', { cause })
}

/** Throws INVALID for a JSON text with an object that has one member twice; other texts pass. */
export function refuseRepeatedMembers(text: string): void {
	const open: Set<string>[] = []
	for (let at = 0; at < text.length; at++) {
		const character = text[at]
		if (character === '{' || character === '[') open.push(new Set())
		else if (character === '}' || character === ']') open.pop()
		else if (character === '"') {
			const end = endOfString(text, at)
			if (isFollowedByColon(text, end)) addMember(open.at(-1), text.slice(at, end + 1))
			at = end
		}
	}
}

function endOfString(text: string, start: number): number {
	let at = start + 1
	while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
	return at
}

function isFollowedByColon(text: string, end: number): boolean {
	let at = end + 1
	while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at++
	return text[at] === ':'
}

function addMember(members: Set<string> | undefined, written: string): void {
	const name = nameOf(written)
	if (members?.has(name)) {
		const issues = [{ path: name, message: 'is given twice' }]
		throw new ReprieveError('INVALID', `${name} is given twice in one object`, { issues })
	}
	members?.add(name)
}

/** `"a"` and `"\u0061"` are one name. */
function nameOf(written: string): string {
	try {
		return JSON.parse(written) as string
	} catch {
		return written
	}
}
