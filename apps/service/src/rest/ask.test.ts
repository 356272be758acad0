import type { Context } from 'hono'
import { expect, test } from 'vitest'
import type { Principal } from '../context.ts'
import type { Call } from '../trpc.ts'
import { type Answered, askTogether } from './ask.ts'

/** A read that answers when it is told to, and asks for it under keys and addresses. */
function openReads() {
	const asked: PromiseWithResolvers<Answered>[] = []
	const taken: string[] = []
	const rate = { take: (caller: string) => void taken.push(caller) }
	const together = askTogether(() => {
		const reading = Promise.withResolvers<Answered>()
		asked.push(reading)
		return reading.promise
	})
	const ask = (url: string, id = 'key') =>
		together({ c: { req: { url } } as Context, given: {} }, { rate } as unknown as Call, { id } as Principal)
	return { asked, taken, ask }
}

const answered = { status: 200, text: '{}' }
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('reads of one address by one key at once share an answer, and each counts as a call', async () => {
	const { asked, taken, ask } = openReads()
	const all = [ask('/runs/a'), ask('/runs/a'), ask('/runs/a')]
	await turn()
	expect(asked).toHaveLength(1)
	asked[0]?.resolve(answered)
	expect(await Promise.all(all)).toEqual([answered, answered, answered])
	// The first is counted where it is answered.
	expect(taken).toEqual(['key', 'key'])
})

test('another key, another address and an address with a query are asked for themselves', async () => {
	const { asked, ask } = openReads()
	const all = [
		...[ask('/runs/a'), ask('/runs/b'), ask('/runs/a', 'other')],
		...[ask('/runs/a?wait=1'), ask('/runs/a?wait=1')],
	]
	await turn()
	expect(asked).toHaveLength(5)
	for (const { resolve } of asked) resolve(answered)
	expect(await Promise.all(all)).toHaveLength(5)
})

test('whose share was refused asks for itself', async () => {
	const { asked, taken, ask } = openReads()
	const all = [ask('/runs/a'), ask('/runs/a'), ask('/runs/a')]
	const settled = Promise.allSettled(all)
	await turn()
	asked[0]?.reject(new Error('refused'))
	await turn()
	expect(asked).toHaveLength(3)
	asked[1]?.resolve(answered)
	asked[2]?.reject(new Error('refused too'))
	expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected'])
	expect(taken).toEqual([])
})
