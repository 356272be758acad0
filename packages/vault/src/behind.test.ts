import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { oneBehind } from './behind.ts'

test('one piece goes on behind its caller, the next one begins when it is done', async () => {
	const said: string[] = []
	const first = Promise.withResolvers<void>()
	await using behind = oneBehind()
	await behind.begin(async () => {
		said.push('first begins')
		await first.promise
		said.push('first ends')
	})
	said.push('the caller goes on')
	const next = behind.begin(async () => {
		said.push('second')
	})
	first.resolve()
	await next
	await behind.end()
	expect(said).toEqual(['first begins', 'the caller goes on', 'first ends', 'second'])
})

test('what fails behind its caller is thrown where the next one would begin, and at the end', async () => {
	await using behind = oneBehind()
	await behind.begin(() => Promise.reject(new Error('disk full')))
	const wasBegun: boolean[] = []
	await expect(behind.begin(async () => void wasBegun.push(true))).rejects.toThrow('disk full')
	await expect(behind.end()).rejects.toThrow('disk full')
	expect(wasBegun).toEqual([])
})

test('a caller that fails goes when what is behind it is done', async () => {
	const work = Promise.withResolvers<void>()
	const said: string[] = []
	const caller = async () => {
		await using behind = oneBehind()
		await behind.begin(() => work.promise.then(() => void said.push('done')))
		throw new Error('no more rows')
	}
	const failing = caller().catch((error: Error) => said.push(error.message))
	await setImmediate()
	work.resolve()
	await failing
	expect(said).toEqual(['done', 'no more rows'])
})
