import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { ReprieveError } from '@reprieve/contracts'
import { corrupt } from '../seal.ts'

/** Keys for segments, by id; the first encrypts, all decrypt. */
export type SegmentKeys = ReadonlyMap<string, Uint8Array>

const mark = Buffer.from('RPV1')
const nonceBytes = 12
const tagBytes = 16

/**
 * Reads `id:key,id:key`, newest first; a key is 32 bytes in hex or base64, and without an id it gets one from its digest.
 * Throws INVALID, never with the text.
 */
export function parseSegmentKeys(text: string): SegmentKeys {
	const keys = new Map<string, Uint8Array>()
	for (const [at, part] of text.split(',').entries()) {
		const [, id, encoded = ''] = /^(?:([A-Za-z0-9_.-]{1,64}):)?(.*)$/s.exec(part.trim()) ?? []
		const key = keyOf(encoded)
		if (!key) throw invalid(`key ${at + 1} is not 32 bytes in hex or base64`)
		const name = id ?? createHash('sha256').update('reprieve segment key').update(key).digest('hex').slice(0, 12)
		if (keys.has(name)) throw invalid(`two keys have the id "${name}"`)
		keys.set(name, key)
	}
	return keys
}

/** AES-256-GCM under the newest key and a random nonce, bound to the object's place in the vault. */
export function encryptSegment(
	keys: SegmentKeys,
	object: string,
	bytes: Uint8Array,
): { key: string; bytes: Uint8Array } {
	const [newest] = keys
	if (!newest) throw invalid('there is none')
	const [id, key] = newest
	const nonce = randomBytes(nonceBytes)
	const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }).setAAD(placeOf(id, object))
	const body = [cipher.update(bytes), cipher.final()]
	return { key: id, bytes: Buffer.concat([mark, nonce, ...body, cipher.getAuthTag()]) }
}

/** Inverse of {@link encryptSegment}. Throws VAULT_CORRUPT naming the object, VAULT_UNAVAILABLE when the key is not at hand. */
export function decryptSegment(
	keys: SegmentKeys | undefined,
	object: string,
	sealed: { key: string; bytes: Uint8Array },
) {
	const key = keys?.get(sealed.key)
	if (!key) throw keyMissing(object, sealed.key)
	const bytes = Buffer.from(sealed.bytes.buffer, sealed.bytes.byteOffset, sealed.bytes.byteLength)
	const start = mark.length + nonceBytes
	if (bytes.length < start + tagBytes || !bytes.subarray(0, mark.length).equals(mark))
		throw corrupt(object, 'it is not an encrypted segment')
	try {
		const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(mark.length, start), {
			authTagLength: tagBytes,
		})
		decipher.setAAD(placeOf(sealed.key, object)).setAuthTag(bytes.subarray(-tagBytes))
		return Buffer.concat([decipher.update(bytes.subarray(start, -tagBytes)), decipher.final()])
	} catch (cause) {
		const problem = `it does not decrypt with key "${sealed.key}": it was altered or moved here, or the key is another`
		throw corrupt(object, problem, { cause })
	}
}

function placeOf(key: string, object: string): Buffer {
	return Buffer.from(JSON.stringify(['reprieve segment', key, object]))
}

function keyOf(text: string): Uint8Array | undefined {
	const hex = /^[0-9a-f]{64}$/i.test(text)
	const base64 = /^[A-Za-z0-9+/_-]{43}=?$/.test(text)
	return hex || base64 ? Buffer.from(text, hex ? 'hex' : 'base64') : undefined
}

function invalid(problem: string): ReprieveError {
	return new ReprieveError('INVALID', `REPRIEVE_VAULT_KEY: ${problem}`, {
		hint: 'Write id:key, or id:key,id:key with the newest first; `openssl rand -hex 32` makes a key.',
	})
}

function keyMissing(object: string, key: string): ReprieveError {
	return new ReprieveError(
		'VAULT_UNAVAILABLE',
		`vault object ${object} is encrypted under key "${key}", which is not at hand`,
		{
			hint: 'Add that key to REPRIEVE_VAULT_KEY, behind the newest.',
			retryable: false,
		},
	)
}
