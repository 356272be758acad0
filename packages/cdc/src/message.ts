import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** Signs the bodies of reprieve's own logical messages (Ed25519). */
export type Signer = {
	/** First 16 hex digits of the public key's SHA-256. */
	keyId: string
	/** SPKI PEM: what the vault keeps. */
	publicKey: string
	sign(body: string): string
}

/** Makes a signer from a PKCS #8 PEM. Throws when it is no Ed25519 key. */
export function createSigner(privateKeyPem: string): Signer {
	const key = createPrivateKey(privateKeyPem)
	if (key.asymmetricKeyType !== 'ed25519') {
		throw new TypeError(`the signing key is ${key.asymmetricKeyType}, not ed25519`)
	}
	const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
	return {
		keyId: keyIdOf(publicKey),
		publicKey,
		sign: (body) => sign(null, Buffer.from(body), key).toString('base64url'),
	}
}

/** The id of a public key (SPKI PEM). */
export function keyIdOf(publicKeyPem: string): string {
	return createHash('sha256').update(publicKeyPem.trim()).digest('hex').slice(0, 16)
}

/**
 * Content of a signed message: `keyId.signature.body`. The prefix is signed too, so that a tag is never read as a
 * seal; lineage and xid are fields of the body.
 */
export function signMessage(signer: Signer, prefix: string, value: unknown): string {
	const body = JSON.stringify(value)
	return `${signer.keyId}.${signer.sign(`${prefix}\n${body}`)}.${body}`
}

export type VerifiedMessage<T> = { verified: true; value: T } | { verified: false; why: string; keyId?: string }

/** Reads a signed message; `keys` maps key id to SPKI PEM. Never throws: a stranger may emit any bytes. */
export function verifyMessage<T>(
	keys: ReadonlyMap<string, string>,
	prefix: string,
	content: Uint8Array,
): VerifiedMessage<T> {
	const text = Buffer.from(content).toString('utf8')
	const match = /^([0-9a-f]{16})\.([A-Za-z0-9_-]{86})\.(\{.*\})$/s.exec(text)
	if (!match) return { verified: false, why: 'not of the form keyId.signature.body' }
	const [, keyId = '', signature = '', body = ''] = match
	const pem = keys.get(keyId)
	if (!pem) return { verified: false, why: `no key ${keyId}`, keyId }
	if (!isSigned(createPublicKey(pem), `${prefix}\n${body}`, signature)) {
		return { verified: false, why: 'the signature does not match', keyId }
	}
	try {
		return { verified: true, value: JSON.parse(body) as T }
	} catch {
		return { verified: false, why: 'the body is not JSON', keyId }
	}
}

function isSigned(key: KeyObject, text: string, signature: string): boolean {
	return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'))
}
