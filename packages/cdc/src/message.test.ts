import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSigner, signMessage, verifyMessage } from './message.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const signer = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
const keys = new Map([[signer.keyId, signer.publicKey]])
const content = signMessage(signer, 'reprieve.tag', { id: 'run-1', batch: 1 })
const read = (text: string, prefix = 'reprieve.tag') => verifyMessage(keys, prefix, Buffer.from(text))

test('a signed message is read back', () => {
	expect(read(content)).toEqual({ verified: true, value: { id: 'run-1', batch: 1 } })
})

test('a message whose body was altered is not verified', () => {
	const altered = read(content.replace('"batch":1', '"batch":2'))
	expect(altered).toEqual({ verified: false, why: 'the signature does not match', keyId: signer.keyId })
})

test('a message of one kind is not read as one of another', () => {
	expect(read(content, 'reprieve.seal')).toMatchObject({ verified: false, why: 'the signature does not match' })
})

test('a message of a key that is not known names the key', () => {
	expect(verifyMessage(new Map(), 'reprieve.tag', Buffer.from(content))).toMatchObject({ keyId: signer.keyId })
})
