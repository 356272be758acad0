import { openVault, type Store } from '@reprieve/vault'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { storeSuite } from '../port-suites/store.ts'
import { createBucket, type TestBucket } from '../support/s3/bucket.ts'
import { type Fault, type FaultProxy, firstOf, type Seen, startProxy } from '../support/s3/proxy.ts'
import { hasS3, sharedS3 } from '../support/s3/shared.ts'
import { changeRows, column, readCells, sourceTable } from './rows.ts'

const isPut = ({ method, path }: Seen) => method === 'PUT' && !path.includes('uploadId')
const isGet = ({ method }: Seen) => method === 'GET'
const isPart = ({ method, path }: Seen) => method === 'PUT' && path.includes('partNumber')
const isBegin = (line: string) => /^POST .*[?&]uploads\b/.test(line)
const isCompletion = ({ method, path }: Seen) => method === 'POST' && path.includes('uploadId')

describe.skipIf(!hasS3)('a store behind a network with faults', () => {
	let proxy: FaultProxy
	let bucket: TestBucket
	let store: Store
	let other: Store
	let count = 0

	beforeAll(async () => {
		const server = await sharedS3()
		proxy = await startProxy(server.endpoint)
		bucket = await createBucket(server)
	}, 600_000)
	afterAll(() => proxy[Symbol.asyncDispose]())
	beforeEach(() => {
		vi.stubEnv('AWS_RESPONSE_CHECKSUM_VALIDATION', 'when_required')
		proxy.meet(() => undefined)
		proxy.seen.length = 0
		const prefix = `faults/${count++}`
		store = bucket.store(prefix, { endpoint: proxy.endpoint, timeoutMs: 500 })
		other = bucket.store(prefix)
	})

	describe('that fails one request in three', () => {
		const faults: Fault[] = [
			{ kind: 'cut' },
			{ kind: 'cutAfter' },
			{ kind: 'refuse', status: 503, code: 'SlowDown' },
			{ kind: 'refuse', status: 429, code: 'TooManyRequests' },
			{ kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' },
			{ kind: 'refuseAfter', status: 500, code: 'InternalError' },
			{ kind: 'delay', ms: 30 },
		]
		storeSuite(async (name) => {
			let at = 0
			proxy.meet(() => (at++ % 3 === 1 ? faults[Math.floor(at / 3) % faults.length] : undefined))
			return bucket.store(`suite/${name}`, { endpoint: proxy.endpoint, attempts: 12 })
		})
	})

	const own: [string, Fault][] = [
		['is stored, then the connection is cut', { kind: 'cutAfter' }],
		['is stored, then no answer comes', { kind: 'stallAfter' }],
		['is stored, then a gateway answers 503', { kind: 'refuseAfter', status: 503, code: 'ServiceUnavailable' }],
		[
			'is stored, then a conflict is answered',
			{ kind: 'refuseAfter', status: 409, code: 'ConditionalRequestConflict' },
		],
		['is cut before it is stored', { kind: 'cut' }],
		['meets no answer', { kind: 'stall' }],
		['meets a conflict', { kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' }],
		['is refused as too many', { kind: 'refuse', status: 429, code: 'TooManyRequests' }],
		['is refused as too fast', { kind: 'refuse', status: 503, code: 'SlowDown' }],
		['is altered on its way', { kind: 'alterRequest' }],
	]
	test.each(own)('an object that %s is our own', async (_, fault) => {
		proxy.meet(firstOf(1, isPut, fault))
		expect(await store.put('a/b', Buffer.from('ours'))).toBe('created')
		expect(proxy.seen.filter((line) => line.startsWith('PUT'))).toHaveLength(2)
		expect(Buffer.from((await other.get('a/b')) as Uint8Array).toString()).toBe('ours')
	})

	test.each(own)("an object of somebody else's stays one when ours %s", async (_, fault) => {
		await other.put('a/b', Buffer.from('theirs'))
		proxy.meet(firstOf(1, isPut, fault))
		expect(await store.put('a/b', Buffer.from('ours'))).toBe('exists')
		expect(Buffer.from((await other.get('a/b')) as Uint8Array).toString()).toBe('theirs')
	})

	test('a put that is conflicted to the end fails without an outcome', async () => {
		proxy.meet(firstOf(100, isPut, { kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' }))
		await expect(store.put('a/b', Buffer.from('ours'))).rejects.toMatchObject({
			code: 'VAULT_UNAVAILABLE',
			retryable: true,
			message: expect.stringContaining(`s3://${bucket.name}/faults/`),
		})
		expect(proxy.seen).toHaveLength(6)
	})

	const answers: [string, Fault][] = [
		['is altered', { kind: 'alterAnswer' }],
		['ends midway', { kind: 'truncate' }],
		['trickles', { kind: 'trickle' }],
		['does not come', { kind: 'stall' }],
		['is 500', { kind: 'refuse', status: 500, code: 'InternalError' }],
	]
	test.each(answers)('an answer that %s is asked for again', async (_, fault) => {
		const object = Buffer.alloc(100_000, 'x')
		await other.put('a/b', object)
		proxy.meet(firstOf(1, isGet, fault))
		expect(Buffer.compare((await store.get('a/b')) as Uint8Array, object)).toBe(0)
		expect(proxy.seen).toHaveLength(2)
	})

	test('a large object that is altered on its way back is asked for again', async () => {
		const object = Buffer.alloc(17 * 2 ** 20, 'y')
		await other.put('a/large', object)
		proxy.meet(firstOf(1, isGet, { kind: 'alterAnswer' }))
		expect(Buffer.compare((await store.get('a/large')) as Uint8Array, object)).toBe(0)
		expect(proxy.seen).toHaveLength(2)
	})

	test('an object that its checksum denies at every try is corrupt, and a verification goes on past it', async () => {
		const name = { schema: 'public', name: 'customer' }
		const source = sourceTable([column(1, 'id', 'bigint')])
		const archive = openVault({ store: other, database: 'shop' }).table(name)
		const segments = await archive.write(changeRows(source, [{ cells: ['1'], position: 1n }]))
		await archive.commit({ source: 'l', position: 1n, segments })
		await archive.commit({ source: 'l', position: 2n, segments: [] })
		const entry = 'shop/public/customer/_delta_log/00000000000000000000.json'
		proxy.meet(({ path }) => (path.includes('00000000.json') ? { kind: 'alterAnswer' } : undefined))
		await expect(store.get(entry)).rejects.toMatchObject({
			code: 'VAULT_CORRUPT',
			message: expect.stringContaining(entry),
		})
		const verified = await Array.fromAsync(openVault({ store, database: 'shop' }).table(name).verify())
		expect(verified.map(({ object, problem }) => [object, problem !== undefined])).toContainEqual([entry, true])
		expect(verified.length).toBeGreaterThan(1)
		await archive.checkpoint({ every: 1 })
		proxy.meet(({ path }) => (path.includes('_last_checkpoint') ? { kind: 'alterAnswer' } : undefined))
		expect(await openVault({ store, database: 'shop' }).table(name).rowCount()).toBe(1)
	})

	test('an upload that the server drops each time fails', async () => {
		const answers: Fault[] = [
			{ kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' },
			{ kind: 'refuse', status: 404, code: 'NoSuchUpload' },
		]
		let at = 0
		proxy.meet((request) => (isCompletion(request) ? answers[at++ % 2] : undefined))
		await expect(store.put('a/large', Buffer.alloc(17 * 2 ** 20))).rejects.toMatchObject({ code: 'VAULT_UNAVAILABLE' })
		expect(proxy.seen.filter(isBegin)).toHaveLength(3)
	})

	const completions: [string, (request: Seen) => boolean, Fault][] = [
		['whose part is altered', isPart, { kind: 'alterRequest' }],
		['whose part is refused', isPart, { kind: 'refuse', status: 503, code: 'SlowDown' }],
		['whose completion is cut before', isCompletion, { kind: 'cut' }],
		['whose completion is done, then cut', isCompletion, { kind: 'cutAfter' }],
		['whose completion conflicts', isCompletion, { kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' }],
	]
	test.each(completions)('a large object %s is our own, or theirs when they were first', async (_, matches, fault) => {
		const object = Buffer.alloc(17 * 2 ** 20, 'z')
		proxy.meet(firstOf(1, matches, fault))
		expect(await store.put('a/ours', object)).toBe('created')
		expect(proxy.seen.filter(isBegin)).toHaveLength(1)
		expect(Buffer.compare((await other.get('a/ours')) as Uint8Array, object)).toBe(0)
		await other.put('a/theirs', Buffer.from('theirs'))
		proxy.meet(firstOf(1, matches, fault))
		expect(await store.put('a/theirs', object)).toBe('exists')
		expect(Buffer.from((await other.get('a/theirs')) as Uint8Array).toString()).toBe('theirs')
	})

	const repeated: [string, number][] = [
		['NoSuchUpload', 404],
		['PreconditionFailed', 412],
	]
	test.each(repeated)(
		'a completion whose answer is lost is our own though its repetition meets %s',
		async (code, status) => {
			const lost = firstOf(1, isCompletion, { kind: 'cutAfter' })
			const again = firstOf(1, isCompletion, { kind: 'refuse', status, code })
			proxy.meet((request) => lost(request) ?? again(request))
			expect(await store.put('a/large', Buffer.alloc(17 * 2 ** 20, 'v'))).toBe('created')
			expect(proxy.seen.filter(isBegin)).toHaveLength(1)
		},
	)

	test('an upload that the server dropped in a conflict is sent again', async () => {
		const object = Buffer.alloc(17 * 2 ** 20, 'w')
		const conflicts = firstOf(1, isCompletion, { kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' })
		const dropped = firstOf(1, isCompletion, { kind: 'refuse', status: 404, code: 'NoSuchUpload' })
		proxy.meet((request) => conflicts(request) ?? dropped(request))
		expect(await store.put('a/large', object)).toBe('created')
		expect(proxy.seen.filter(isBegin)).toHaveLength(2)
		expect(proxy.seen.filter((line) => line.startsWith('DELETE'))).toHaveLength(1)
	})

	test('an upload that fails for good is dropped', async () => {
		proxy.meet(firstOf(100, isPart, { kind: 'refuse', status: 403, code: 'AccessDenied' }))
		await expect(store.put('a/large', Buffer.alloc(17 * 2 ** 20))).rejects.toMatchObject({ code: 'VAULT_UNAVAILABLE' })
		expect(proxy.seen.filter((line) => line.startsWith('DELETE'))).toHaveLength(1)
	})

	test('an object that a policy keeps is left, and one that is gone is deleted', async () => {
		await other.put('a/kept', Buffer.from('x'))
		const refusal = (code: string, status: number) =>
			proxy.meet(firstOf(2, ({ method }) => method === 'DELETE', { kind: 'refuse', status, code }))
		refusal('AccessDenied', 403)
		expect(await store.delete('a/kept')).toBe('kept')
		await expect(store.delete('a/gone')).rejects.toMatchObject({ code: 'VAULT_UNAVAILABLE' })
		refusal('InvalidRequest', 400)
		expect(await store.delete('a/kept')).toBe('kept')
		refusal('InvalidAccessKeyId', 403)
		await expect(store.delete('a/kept')).rejects.toMatchObject({ hint: expect.stringContaining('credentials') })
	})

	test('commits through a failing network are there once each', async () => {
		const kinds = ['cutAfter', 'stallAfter', 'cut'] as const
		let at = 0
		proxy.meet(() => (at++ % 4 === 3 ? { kind: kinds[at % 3] as 'cut' } : undefined))
		const name = { schema: 'public', name: 'customer' }
		const table = openVault({ store, database: 'shop' }).table(name)
		const source = sourceTable([column(1, 'id', 'bigint')])
		for (let position = 1n; position <= 12n; position++) {
			const segments = await table.write(changeRows(source, [{ cells: [String(position)], position }]))
			expect(await table.commit({ source: 'l', position, segments })).toMatchObject({ outcome: 'committed' })
		}
		const found = await readCells(openVault({ store: other, database: 'shop' }).table(name).read({}))
		expect(found.map(([id]) => id)).toEqual(Array.from({ length: 12 }, (_, n) => String(n + 1)))
	})
})
