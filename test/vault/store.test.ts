import { join } from 'node:path'
import { fileStore, openVault, type Store } from '@reprieve/vault'
import { afterAll, describe, expect, test } from 'vitest'
import { storeSuite } from '../port-suites/store.ts'
import { freshFolder } from './folder.ts'
import { changeRows, column, sourceTable } from './rows.ts'

const folder = await freshFolder()
afterAll(() => folder[Symbol.asyncDispose]())

describe('a store in a folder', () => {
	storeSuite(async (name) => fileStore(join(folder.path, name)))
})

const source = sourceTable([column(1, 'id', 'bigint')])
const rows = changeRows(source, [{ cells: ['1'], position: 1n }])

/** A store whose put of a log entry stores the entry and then loses the answer, as a cut connection does. */
function forgetful(store: Store): Store {
	let isFirst = true
	return {
		...store,
		async put(key, bytes) {
			const outcome = await store.put(key, bytes)
			if (!key.endsWith('.json') || !isFirst) return outcome
			isFirst = false
			throw new Error('the connection was cut')
		},
	}
}

test('a commit whose answer is lost is read back and counted once', async () => {
	const store = fileStore(join(folder.path, 'forgetful'))
	const table = openVault({ store: forgetful(store), database: 'shop' }).table({ schema: 'public', name: 'customer' })
	const outcome = await table.commit({ source: 'l', position: 1n, segments: await table.write(rows) })
	expect(outcome).toEqual({ outcome: 'committed', version: 0 })
	expect(await table.rowCount()).toBe(1)
})

test('a commit that never reached the store fails and can be tried again', async () => {
	const store = fileStore(join(folder.path, 'refusing'))
	let isDown = true
	const failing: Store = {
		...store,
		put: (key, bytes) => (isDown && key.endsWith('.json') ? Promise.reject(new Error('down')) : store.put(key, bytes)),
	}
	const table = openVault({ store: failing, database: 'shop' }).table({ schema: 'public', name: 'customer' })
	const segments = await table.write(rows)
	await expect(table.commit({ source: 'l', position: 1n, segments })).rejects.toThrow('down')
	isDown = false
	expect((await table.commit({ source: 'l', position: 1n, segments })).outcome).toBe('committed')
})
