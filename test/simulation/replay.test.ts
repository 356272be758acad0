import { expect, test } from 'vitest'
import { openEmbedded } from './embedded.ts'
import { openFrames } from './frames.ts'
import { warmUp } from './loop.ts'

const ways = [
	{ way: 'embedded', open: openEmbedded },
	{ way: 'frames', open: openFrames },
]

test.each(ways)('a seed of $way does the same again, call by call', { timeout: 120_000 }, async ({ open }) => {
	await warmUp()
	for (const seed of [3, 8]) {
		const [first, second] = [open(seed), open(seed)]
		await first.run()
		await second.run()
		expect(second.world.history).toEqual(first.world.history)
		expect(first.world.history.length).toBeGreaterThan(100)
	}
})
