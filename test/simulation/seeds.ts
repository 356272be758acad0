import { expect, test } from 'vitest'
import { warmUp } from './loop.ts'

/** A simulation of one seed; throws what must not happen. */
export type Simulation = { run(): Promise<void>; world: { history: readonly string[] } }

/** What happened before a failure, in lines. */
const shownHistory = 120

/** How many seeds of a way the gate has time for: SIMULATION_SEEDS says otherwise, SIMULATION_SEED names the only one. */
type Share = { seeds: number; part: number; parts: number }

/** Seeds of a share of all, `part` of `parts`. A failing one is named, and can be had again alone. */
export function testSeeds(name: string, open: (seed: number) => Simulation, { seeds, part, parts }: Share): void {
	const only = process.env.SIMULATION_SEED
	const count = Number(process.env.SIMULATION_SEEDS ?? seeds)
	const all = only === undefined ? Array.from({ length: count }, (_, at) => at + 1) : [Number(only)]
	const own = all.filter((seed) => seed % parts === part)
	test.runIf(own.length > 0)(`${own.length} seeds keep every promise`, { timeout: 1_800_000 }, async () => {
		await warmUp()
		for (const seed of own) {
			const simulation = open(seed)
			await simulation.run().catch((cause: unknown) => {
				const history = simulation.world.history.slice(-shownHistory).join('\n')
				const again = `SIMULATION_SEED=${seed} pnpm exec vitest run --project unit test/simulation/${name}`
				throw new Error(`seed ${seed}: ${(cause as Error).message}\nagain: ${again}\n${history}`, { cause })
			})
		}
		expect(own.length).toBeGreaterThan(0)
	})
}
