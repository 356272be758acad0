import { expect, test } from 'vitest'
import { openRegister } from './register.ts'
import { sealRecord } from './seal.ts'
import type { Store } from './store.ts'

/** A register's store, of which every object goes between a listing and the reading of what it names. */
function vanishing(objects: Map<string, Uint8Array>, onGone: () => void) {
	const gone = new Set<string>()
	const store: Partial<Store> = {
		async *list() {
			for (const key of [...objects.keys()].sort()) yield { key, size: 1, modifiedAt: 0 }
		},
		async get(key) {
			if (gone.has(key)) return objects.get(key)
			gone.add(key)
			onGone()
			return undefined
		},
		async put(key, bytes) {
			objects.set(key, bytes)
			return 'created'
		},
	}
	return store as Store
}

test('a version that is replaced and cleaned away while it is read is not called missing', async () => {
	const objects = new Map<string, Uint8Array>()
	const writer = openRegister<string>(
		vanishing(objects, () => {}),
		'r',
	)
	await writer.write(-1, 'old')
	const replace = () => {
		objects.clear()
		objects.set('r/0000000009.json', sealRecord('r/0000000009.json', 'new'))
	}
	expect(await openRegister<string>(vanishing(objects, replace), 'r').read()).toEqual({ version: 9, value: 'new' })
})

test('a version that stays listed and cannot be read is named as missing', async () => {
	const objects = new Map([['r/0000000004.json', new Uint8Array()]])
	const store = { ...vanishing(objects, () => {}), get: async () => undefined }
	await expect(openRegister(store, 'r').read()).rejects.toMatchObject({
		code: 'VAULT_CORRUPT',
		message: expect.stringContaining('r/0000000004.json'),
	})
})
