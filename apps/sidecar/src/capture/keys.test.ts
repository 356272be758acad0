import { generateKeyPairSync } from 'node:crypto'
import { createSigner, signMessage } from '@reprieve/cdc'
import { parseInstant } from '@reprieve/contracts'
import type { Vault, VaultKey } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { KeyRing } from './keys.ts'

test('a key counts for what committed while it was valid', async () => {
	const { privateKey } = generateKeyPairSync('ed25519')
	const signer = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
	const key: VaultKey = {
		...{ id: signer.keyId, publicKey: signer.publicKey },
		...{ validFrom: '2024-03-01T00:00:00.000000Z', validTo: '2024-04-01T00:00:00.000000Z' },
	}
	const keys = new KeyRing({ keys: async () => [key] } as unknown as Vault)
	const content = Buffer.from(signMessage(signer, 'reprieve.tag', { id: 'run-1' }))
	const verified = async (at: string) => (await keys.verify('reprieve.tag', content, parseInstant(at))).verified
	expect(await verified('2024-02-01T00:00:00Z')).toBe(false)
	expect(await verified('2024-03-15T00:00:00Z')).toBe(true)
	expect(await verified('2024-04-01T00:00:00Z')).toBe(true)
	expect(await verified('2024-04-01T00:00:01Z')).toBe(false)
})
