import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, type FileHandle, mkdir, open, readdir, readlink, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { fileStore, openVault, type Store } from '@reprieve/vault'
import { afterAll, describe, expect, test } from 'vitest'
import { putOnce } from '../../packages/vault/src/store.ts'
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

test('what a killed writer left under construction goes with a later first write', async () => {
	const root = join(folder.path, 'left')
	await mkdir(join(root, '.tmp'), { recursive: true })
	for (const name of ['old', 'young']) await writeFile(join(root, '.tmp', name), 'half a f')
	const twoDaysAgo = Date.now() / 1000 - 2 * 24 * 3_600
	await utimes(join(root, '.tmp', 'old'), twoDaysAgo, twoDaysAgo)
	await fileStore(root).put('a', Buffer.from('whole'))
	expect((await readdir(join(root, '.tmp'))).sort()).toEqual(['root', 'young'])
})

test('a write that a full disk cuts short leaves nothing behind', async () => {
	const root = join(folder.path, 'full')
	await mkdir(root)
	const script = `
		import { fileStore } from '@reprieve/vault'
		const store = fileStore(process.argv[1])
		for (const write of ['put', 'replace']) {
			const refusal = await store[write]('a/b', new Uint8Array(1024 * 1024)).catch((error) => error.code)
			if (refusal !== 'VAULT_UNAVAILABLE') throw new Error('expected a refusal, got ' + refusal)
		}
		await store.put('a/c', new Uint8Array(1024))`
	const limited = `ulimit -f 64; exec '${process.execPath}' --input-type=module -e "$0" "$1"`
	await promisify(execFile)('bash', ['-c', limited, script, root], { cwd: import.meta.dirname })
	expect(await readdir(join(root, '.tmp'))).toEqual(['root'])
	expect(await readdir(join(root, 'a'))).toEqual(['c'])
})

test('a put whose folder could not be synced is made durable before it counts', async () => {
	const settled: string[] = []
	const store = fileStore(join(folder.path, 'unsynced'))
	const failing: Store = {
		...store,
		settle: async (prefix) => void settled.push(prefix),
		async put(key, bytes) {
			await store.put(key, bytes)
			if (key.includes('/data/')) throw new Error('the folder cannot be synced')
			return 'created'
		},
	}
	await openVault({ store: failing, database: 'shop' }).table({ schema: 'public', name: 'customer' }).write(rows)
	expect(settled).toContain('shop/public/customer/data/')
})

test('an object is synced before it has its name, and its folder before the put returns', async () => {
	const root = join(folder.path, 'synced')
	await mkdir(root)
	const store = fileStore(root)
	const synced: string[] = []
	await using probe = await open(root)
	const handle = Object.getPrototypeOf(probe) as FileHandle
	const { sync } = handle
	handle.sync = async function (this: FileHandle) {
		const path = relative(folder.path, await readlink(`/proc/self/fd/${this.fd}`))
		synced.push(`${path.replace(/[0-9a-f-]{36}$/, 'draft')}${existsSync(join(root, 'a/b/c')) ? ' with c' : ''}`)
		return await sync.call(this)
	}
	try {
		await store.put('a/b/c', Buffer.from('x'))
	} finally {
		handle.sync = sync
	}
	expect(synced[0]).toBe('synced/.tmp/draft')
	expect(synced.slice(1, -1)).toEqual(expect.arrayContaining(['synced', 'synced/a']))
	expect(synced.at(-1)).toBe('synced/a/b with c')
})

const methods: { [Method in keyof Store]: (store: Store) => Promise<unknown> } = {
	put: (store) => store.put('c/d', Buffer.from('x')),
	get: (store) => store.get('a/b'),
	getRange: (store) => store.getRange('a/b', 0, 1),
	size: (store) => store.size('a/b'),
	list: (store) => Array.fromAsync(store.list('a/')),
	folders: (store) => store.folders('a/'),
	replace: (store) => store.replace('a/b', Buffer.from('x')),
	delete: (store) => store.delete('a/b'),
	settle: (store) => store.settle('a/'),
}

describe('a vault whose mount ends', () => {
	test.each(Object.entries(methods))('answers no %s until it is back', async (method, call) => {
		const root = join(folder.path, `unmounted-${method}`)
		const store = fileStore(root)
		await store.put('a/b', Buffer.from('whole'))
		await rename(root, `${root}-away`)
		await expect(call(store)).rejects.toMatchObject({ code: 'VAULT_UNAVAILABLE', message: /is gone/ })
		expect(existsSync(root)).toBe(false)
		await mkdir(root)
		await expect(call(store)).rejects.toMatchObject({ code: 'VAULT_UNAVAILABLE', message: /another folder lies/ })
		expect(await readdir(root)).toEqual([])
		await rm(root, { recursive: true })
		await rename(`${root}-away`, root)
		await call(store)
	})

	test('is known by its mark when it is mounted as another device', async () => {
		const root = join(folder.path, 'remounted')
		const store = fileStore(root)
		await store.put('a/b', Buffer.from('whole'))
		await rename(root, `${root}-away`)
		await cp(`${root}-away`, root, { recursive: true })
		expect(Buffer.from((await store.get('a/b')) ?? []).toString()).toBe('whole')
	})

	test('is not listed in part', async () => {
		const root = join(folder.path, 'listed-in-part')
		const store = fileStore(root)
		for (const key of ['a/b', 'a/c']) await store.put(key, Buffer.from('whole'))
		const listed = async () => {
			for await (const _ of store.list('a/')) await rename(root, `${root}-away`)
		}
		await expect(listed()).rejects.toMatchObject({ code: 'VAULT_UNAVAILABLE' })
	})

	test('does not count what was written beside it meanwhile', async () => {
		const root = join(folder.path, 'lost-midway')
		const store = fileStore(root)
		await store.put('a/b', Buffer.from('whole'))
		await using probe = await open(folder.path)
		const handle = Object.getPrototypeOf(probe) as FileHandle
		const { sync } = handle
		handle.sync = async function (this: FileHandle) {
			handle.sync = sync
			await sync.call(this)
			await cp(root, `${root}-below`, { recursive: true })
			await writeFile(join(`${root}-below`, '.tmp/root'), 'another')
			await rename(root, `${root}-away`)
			await rename(`${root}-below`, root)
		}
		await expect(putOnce(store, 'a/c', Buffer.from('x'))).rejects.toMatchObject({ code: 'VAULT_UNAVAILABLE' })
		expect(existsSync(join(root, 'a/c'))).toBe(true)
	})
})

test('tables are found without listing their objects', async () => {
	const store = fileStore(join(folder.path, 'listed'))
	const asked: string[] = []
	const listless: Store = {
		...store,
		list: () => {
			throw new Error('an object was listed')
		},
		folders(prefix) {
			asked.push(prefix)
			return store.folders(prefix)
		},
	}
	const vault = openVault({ store, database: 'shop' })
	for (const name of ['a.b', 'customer']) {
		const table = vault.table({ schema: 'public', name })
		await table.commit({ source: 'l', position: 1n, segments: await table.write(rows) })
	}
	await vault.table({ schema: 'public', name: 'uncommitted' }).write(rows)
	const tables = [
		{ schema: 'public', name: 'a.b' },
		{ schema: 'public', name: 'customer' },
	]
	const again = openVault({ store: listless, database: 'shop' })
	expect(await again.tables()).toEqual(tables)
	asked.length = 0
	expect(await again.tables()).toEqual(tables)
	expect(asked).toEqual(['shop/', 'shop/public/', 'shop/public/uncommitted/'])
})
