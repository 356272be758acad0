import { expect, test, vi } from 'vitest'
import { gatherReads, shareReads } from './share.ts'

/** Readings that end when they are told to, in the order in which they began. */
function openReadings() {
	const begun: PromiseWithResolvers<string>[] = []
	const read = shareReads((_: object) => (_key: string) => {
		const reading = Promise.withResolvers<string>()
		begun.push(reading)
		return reading.promise
	})
	return { begun, read }
}

const context = {}
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('whoever asks while a reading is under way shares the next one, which began after they asked', async () => {
	const { begun, read } = openReadings()
	const first = read(context, 'a')
	await turn()
	const later = [read(context, 'a'), read(context, 'a')]
	await turn()
	expect(begun).toHaveLength(1)
	begun[0]?.resolve('old')
	expect(await first).toBe('old')
	await vi.waitUntil(() => begun.length === 2)
	const latest = read(context, 'a')
	begun[1]?.resolve('new')
	expect(await Promise.all(later)).toEqual(['new', 'new'])
	await vi.waitUntil(() => begun.length === 3)
	begun[2]?.resolve('newest')
	expect(await latest).toBe('newest')
})

test('those who ask in one turn of the event loop share one reading', async () => {
	const { begun, read } = openReadings()
	const all = [read(context, 'a'), read(context, 'a')]
	await turn()
	expect(begun).toHaveLength(1)
	begun[0]?.resolve('one')
	expect(await Promise.all(all)).toEqual(['one', 'one'])
})

test('another key, another context and whoever asks later read for themselves', async () => {
	const { begun, read } = openReadings()
	const all = [read(context, 'a'), read(context, 'b'), read({}, 'a')]
	await turn()
	expect(begun).toHaveLength(3)
	for (const [at, reading] of begun.entries()) reading.resolve(`${at}`)
	expect(await Promise.all(all)).toEqual(['0', '1', '2'])
	const again = read(context, 'a')
	await turn()
	expect(begun).toHaveLength(4)
	begun[3]?.resolve('3')
	expect(await again).toBe('3')
})

test('a reading that fails or hangs fails and holds nobody else', async () => {
	vi.useFakeTimers()
	try {
		const { begun, read } = openReadings()
		const first = read(context, 'a')
		await vi.advanceTimersByTimeAsync(0)
		const second = read(context, 'a')
		begun[0]?.reject(new Error('broken'))
		await expect(first).rejects.toThrow('broken')
		await vi.advanceTimersByTimeAsync(0)
		const third = read(context, 'a')
		expect(begun).toHaveLength(2)
		await vi.advanceTimersByTimeAsync(1_001)
		expect(begun).toHaveLength(3)
		begun[2]?.resolve('third')
		expect(await third).toBe('third')
		begun[1]?.resolve('second')
		expect(await second).toBe('second')
	} finally {
		vi.useRealTimers()
	}
})

/** Gathered readings that end when they are told to, with the keys that each took. */
function openGathered() {
	const begun: (PromiseWithResolvers<ReadonlyMap<string, string>> & { keys: string[] })[] = []
	const read = gatherReads((_: object) => (keys) => {
		const reading = { keys, ...Promise.withResolvers<ReadonlyMap<string, string>>() }
		begun.push(reading)
		return reading.promise
	})
	return { begun, read }
}

test('a gathered reading takes all keys asked for before it began, once each, and gives each its own', async () => {
	const { begun, read } = openGathered()
	const first = [read(context, 'a'), read(context, 'b'), read(context, 'a'), read(context, 'none')]
	await turn()
	const later = read(context, 'a')
	await turn()
	expect(begun.map(({ keys }) => keys)).toEqual([['a', 'b', 'none']])
	begun[0]?.resolve(new Map(Object.entries({ a: 'old a', b: 'b' })))
	expect(await Promise.all(first)).toEqual(['old a', 'b', 'old a', undefined])
	await vi.waitUntil(() => begun.length === 2)
	expect(begun[1]?.keys).toEqual(['a'])
	begun[1]?.resolve(new Map([['a', 'new a']]))
	expect(await later).toBe('new a')
})

test('a gathered reading that fails is done for each key by itself, once for all who ask for it', async () => {
	const { begun, read } = openGathered()
	const all = Promise.allSettled([read(context, 'a'), read(context, 'bad'), read(context, 'a'), read(context, 'bad')])
	await turn()
	begun[0]?.reject(new Error('broken'))
	await vi.waitUntil(() => begun.length >= 3)
	expect(begun.map(({ keys }) => keys)).toEqual([['a', 'bad'], ['a'], ['bad']])
	begun[1]?.resolve(new Map([['a', 'a']]))
	begun[2]?.reject(new Error('broken again'))
	const told = (await all).map((one) => (one.status === 'fulfilled' ? one.value : one.reason.message))
	expect(told).toEqual(['a', 'broken again', 'a', 'broken again'])
	const alone = read(context, 'bad')
	await vi.waitUntil(() => begun.length === 4)
	begun[3]?.reject(new Error('broken alone'))
	await expect(alone).rejects.toThrow('broken alone')
	await turn()
	expect(begun).toHaveLength(4)
})

test('a gathered reading that fails because the database is away is not done again', async () => {
	const { begun, read } = openGathered()
	const both = Promise.allSettled([read(context, 'a'), read(context, 'b')])
	await turn()
	const away = new Error('failed query', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) })
	begun[0]?.reject(away)
	await turn()
	await turn()
	expect(begun).toHaveLength(1)
	expect(await both).toEqual(Array(2).fill({ status: 'rejected', reason: away }))
})
