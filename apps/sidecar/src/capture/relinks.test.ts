import { expect, test } from 'vitest'
import { KeySet } from './key-set.ts'
import type { Mapping } from './mapping.ts'
import { RelinkSpool } from './relinks.ts'

test('the spool hands out every update in order, also those that went to its file', async () => {
	const spool = new RelinkSpool(200)
	const mappings = [{ label: 'a' }, { label: 'b' }] as Mapping[]
	const expected = Array.from({ length: 100 }, (_, at) => ({
		ordinal: at * 3,
		label: at % 2 ? 'b' : 'a',
		text: 'x'.repeat(at),
	}))
	for (const [at, { ordinal, text }] of expected.entries()) {
		await spool.add(Buffer.from(text), ordinal, mappings[at % 2] as Mapping)
	}
	const replayed = []
	for await (const { bytes, ordinal, mapping } of spool.replay()) {
		replayed.push({ ordinal, label: mapping.label, text: Buffer.from(bytes).toString() })
	}
	expect(replayed).toEqual(expected)
	expect(spool.isEmpty).toBe(true)
})

test('a key set has what was added and nothing else', () => {
	const keys = new KeySet()
	for (let at = 0; at < 5_000; at++) {
		keys.add(`key ${at}`)
		keys.add(`key ${at}`)
	}
	for (let at = 0; at < 5_000; at++) {
		expect(keys.has(`key ${at}`)).toBe(true)
		expect(keys.has(`other ${at}`)).toBe(false)
	}
})
