import { afterAll, describe, expect, test } from 'vitest'
import { hasKafka, sharedBroker } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { judge } from './crash/judge.ts'
import { type Chain, chains, kafkaChains } from './crash/points.ts'
import { tellStory } from './crash/story.ts'
import { type CrashWorld, crashCluster, type Kept, startCrashWorld, telling } from './crash/world.ts'

const cluster = await crashCluster()
afterAll(() => cluster.stop())

describe.concurrent('nothing is lost, doubled or left when the process is killed where', () => {
	for (const chain of chains)
		test(titleOf(chain), { timeout: 600_000 }, async () => {
			await using world = await startCrashWorld(cluster, { [chain.victim]: { places: chain.points } })
			await survive(world, chain)
		})
})

describe.runIf(hasKafka).concurrent('the same on the way through Kafka', () => {
	for (const chain of kafkaChains)
		test(titleOf(chain), { timeout: 600_000 }, async () => {
			const { brokers } = await sharedBroker()
			const parts = { [chain.victim]: { places: chain.points } }
			await using world = await startCrashWorld(cluster, parts, { brokers })
			await survive(world, chain)
		})
})

function titleOf({ victim, points }: Chain): string {
	return `${victim}: ${points.map(({ name }) => name).join('; ')}`
}

/** The story to its end, with every point of the chain hit, and nobody else killed. */
async function survive(world: CrashWorld, { victim, points }: Chain): Promise<void> {
	const killed = world.all().find(({ program }) => program === victim) as Kept
	const names = points.map(({ name }) => name)
	await telling(world, async () => {
		await tellStory(world)
		await cameTo(world, killed, names)
		expect(await judge(world)).toEqual([])
		for (const { told = '' } of points) expect(killed.output()).toContain(told)
		for (const { program, kills, ended } of world.all())
			expect([program, kills, ended]).toEqual([program, program === victim ? names.length : 0, undefined])
	})
}

/** What upkeep does comes in its own time, as long as there is something to keep. */
async function cameTo(world: CrashWorld, kept: Kept, names: readonly string[]): Promise<void> {
	const missing = () => names.filter((name) => !kept.hits().includes(name))
	await until(
		async () => {
			await world.barrier()
			return missing().length === 0
		},
		`${kept.program} to come to its places`,
		60_000,
	).catch((error) => {
		throw new Error(`${(error as Error).message}: ${missing().join('; ')}`)
	})
	await world.barrier()
}
