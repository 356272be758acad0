import { expect, test } from 'vitest'
import { EmbeddedSimulation, warmUp } from './embedded.ts'

test('a seed does the same again, call by call', { timeout: 120_000 }, async () => {
	await warmUp()
	for (const seed of [3, 8]) {
		const [first, second] = [new EmbeddedSimulation(seed), new EmbeddedSimulation(seed)]
		await first.run()
		await second.run()
		expect(second.world.history).toEqual(first.world.history)
		expect(first.world.history.length).toBeGreaterThan(100)
	}
})
