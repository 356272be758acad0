import type { Store } from '@reprieve/vault'
import { expect, test } from 'vitest'

const bytes = (text: string) => Buffer.from(text)
const textOf = async (reading: Promise<Uint8Array | undefined>) => {
	const found = await reading
	return found && Buffer.from(found).toString()
}

/** What every store must do; `open` answers an empty one, and the same contents for the same name. */
export function storeSuite(open: (name: string) => Promise<Store>): void {
	test('an object comes back as it was put', async () => {
		const store = await open('whole')
		const large = Buffer.alloc(3_000_000, 7)
		expect(await store.put('a/b/c.bin', large)).toBe('created')
		expect(Buffer.compare((await store.get('a/b/c.bin')) as Uint8Array, large)).toBe(0)
		expect(await store.size('a/b/c.bin')).toBe(3_000_000)
	})

	test('a large object comes back as it was put, and only its first put counts', { timeout: 120_000 }, async () => {
		const [store, other] = [await open('large'), await open('large')]
		const objects = [1, 2].map((fill) => Buffer.alloc(21 * 2 ** 20, fill))
		const puts = objects.map((object, at) => (at ? store : other).put('data/large', object))
		const outcomes = await Promise.all(puts)
		expect(outcomes.toSorted()).toEqual(['created', 'exists'])
		const stored = (await store.get('data/large')) as Uint8Array
		expect(Buffer.compare(stored, objects[outcomes.indexOf('created')] as Buffer)).toBe(0)
		expect(await store.getRange('data/large', 17 * 2 ** 20, 17 * 2 ** 20 + 3)).toEqual(stored.slice(0, 3))
	})

	test('a listing goes on beyond a thousand objects', { timeout: 120_000 }, async () => {
		const store = await open('many')
		const keys = Array.from({ length: 1_100 }, (_, at) => `many/${String(at).padStart(5, '0')}`)
		const next = keys.values()
		const put = async () => {
			for (const key of next) await store.put(key, bytes(key))
		}
		await Promise.all(Array.from({ length: 16 }, put))
		expect((await Array.fromAsync(store.list('many/'))).map(({ key }) => key)).toEqual(keys)
	})

	test('folders are named without the objects beneath them', async () => {
		const store = await open('folders')
		for (const key of ['f/a/1', 'f/a/2', 'f/b~2Fc/d/e', 'f/z', 'g/h']) await store.put(key, bytes(key))
		expect((await store.folders('f/')).sort()).toEqual(['a', 'b~2Fc'])
		expect(await store.folders('none/')).toEqual([])
	})

	test('an absent object is undefined, not an error', async () => {
		const store = await open('absent')
		expect(await store.get('a/b')).toBeUndefined()
		expect(await store.getRange('a/b', 0, 1)).toBeUndefined()
		expect(await store.size('a/b')).toBeUndefined()
		await store.delete('a/b')
		await store.settle('a/')
		expect(await Array.fromAsync(store.list(''))).toEqual([])
	})

	test('a second put leaves the first object as it is', async () => {
		const store = await open('again')
		expect(await store.put('x/one', bytes('first'))).toBe('created')
		expect(await store.put('x/one', bytes('second'))).toBe('exists')
		expect(await textOf(store.get('x/one'))).toBe('first')
	})

	test('of many puts at once exactly one creates the object', async () => {
		const [store, other] = [await open('race'), await open('race')]
		for (let round = 0; round < 20; round++) {
			const puts = Array.from({ length: 20 }, (_, at) => (at % 2 ? store : other).put(`r/${round}`, bytes(`w${at}`)))
			const outcomes = await Promise.all(puts)
			const winner = outcomes.indexOf('created')
			expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
			expect(await textOf(store.get(`r/${round}`))).toBe(`w${winner}`)
		}
	})

	test('a range is cut out of an object, short at its end', async () => {
		const store = await open('range')
		await store.put('r', bytes('0123456789'))
		expect(await textOf(store.getRange('r', 2, 5))).toBe('234')
		expect(await textOf(store.getRange('r', 8, 50))).toBe('89')
		expect(await textOf(store.getRange('r', 10, 50))).toBe('')
		expect(await textOf(store.getRange('r', 4, 4))).toBe('')
	})

	test('a listing has every object under the prefix in byte order', async () => {
		const store = await open('list')
		const keys = ['a-b/1', 'a/b/2', 'a/b/10', 'a/_c', 'a0', 'b']
		for (const key of keys) await store.put(key, bytes(key))
		const listed = async (prefix: string) => (await Array.fromAsync(store.list(prefix))).map(({ key }) => key)
		expect(await listed('')).toEqual(['a-b/1', 'a/_c', 'a/b/10', 'a/b/2', 'a0', 'b'])
		expect(await listed('a/')).toEqual(['a/_c', 'a/b/10', 'a/b/2'])
		const [first] = await Array.fromAsync(store.list('a/b/'))
		expect(first?.size).toBe(6)
		expect(Math.abs((first?.modifiedAt ?? 0) - Date.now())).toBeLessThan(60_000)
	})

	test('a deleted object is gone', async () => {
		const store = await open('delete')
		await store.put('d/1', bytes('x'))
		expect(await store.delete('d/1')).toBe('deleted')
		expect(await store.get('d/1')).toBeUndefined()
		expect(await store.delete('d/1')).toBe('deleted')
	})

	test('a hint can be replaced', async () => {
		const store = await open('replace')
		await store.replace('h/hint', bytes('one'))
		await store.replace('h/hint', bytes('two'))
		expect(await textOf(store.get('h/hint'))).toBe('two')
	})

	test('a key that leaves the store is refused', async () => {
		const store = await open('keys')
		for (const key of ['../x', 'a//b', '/a', 'a/./b', ''])
			await expect(Promise.resolve().then(() => store.put(key, bytes('x')))).rejects.toMatchObject({ code: 'INVALID' })
	})
}
