import { createHash } from 'node:crypto'
import { ReprieveError } from '@reprieve/contracts'

/** SHA-256 in hex. */
export function digestOf(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex')
}

/**
 * Lines of JSON followed by one that holds the digest of all before it, so that a flipped bit shows in the object itself.
 * Delta readers skip the last line: they ignore actions that they do not know.
 */
export function sealLines(lines: string[]): Uint8Array {
	const body = Buffer.from(`${lines.join('\n')}\n`)
	return Buffer.concat([body, Buffer.from(sealOf(body))])
}

/** The lines of a sealed object, without the seal. Throws VAULT_CORRUPT naming the object. */
export function unsealLines(object: string, bytes: Uint8Array): string[] {
	const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
	const end = text.lastIndexOf('\n', text.length - 2) + 1
	const body = text.subarray(0, end)
	if (text.subarray(end).toString() !== sealOf(body))
		throw corrupt(object, `its seal does not match its ${body.length} bytes`)
	return body.toString().trimEnd().split('\n')
}

/** A sealed object of one value that says which object it is: an older version of it, or another one, cannot stand in its place. */
export function sealRecord(object: string, value: unknown): Uint8Array {
	return sealLines([JSON.stringify(value), JSON.stringify({ object })])
}

/** Inverse of {@link sealRecord}; one that was written before records said which they are counts as itself. Throws VAULT_CORRUPT. */
export function unsealRecord<T>(object: string, bytes: Uint8Array): T {
	const [value, place] = unsealLines(object, bytes)
	const written = place === undefined ? object : (JSON.parse(place) as { object: string }).object
	if (written !== object) throw corrupt(object, `it is what was written as ${written}`)
	return JSON.parse(value as string) as T
}

/** The error of an object that is not what was written. The hint is for one that nothing can be made again from. */
export function corrupt(
	object: string,
	problem: string,
	{
		cause,
		hint = 'Bring this object back from a replica or backup of the vault; nothing was read from it.',
	}: { cause?: unknown; hint?: string } = {},
): ReprieveError {
	return new ReprieveError('VAULT_CORRUPT', `vault object ${object} is corrupt: ${problem}`, { hint, cause })
}

/** The error of an object that is not there, which may be so because the log let go of it: let-go.ts asks. */
export class MissingObject extends ReprieveError {
	readonly object: string

	constructor(object: string, options: { hint?: string } = {}) {
		const { message, hint } = corrupt(object, 'it is missing', options)
		super('VAULT_CORRUPT', message, { hint })
		this.object = object
	}
}

/** Whether an error says so. */
export function isCorrupt(error: unknown): error is ReprieveError {
	return error instanceof ReprieveError && error.code === 'VAULT_CORRUPT'
}

/** What an object holds; a store that finds it damaged counts as one that has none. */
export async function unlessCorrupt<T>(reading: Promise<T | undefined>): Promise<T | undefined> {
	return await reading.catch((error: unknown) => {
		if (isCorrupt(error)) return undefined
		throw error
	})
}

function sealOf(body: Uint8Array): string {
	return `{"reprieve":{"sha256":"${digestOf(body)}"}}\n`
}
