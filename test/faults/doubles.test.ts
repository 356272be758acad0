import { afterAll, describe, expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { judge } from './crash/judge.ts'
import { places } from './crash/places.ts'
import type { Place } from './crash/point.ts'
import { bystander } from './crash/settings.ts'
import { tellStory } from './crash/story.ts'
import { type CrashWorld, crashCluster, type Kept, startCrashWorld, telling } from './crash/world.ts'

/** Where a worker stands still until another has taken over. */
const frozenWorkers: Place[] = [
	{ ...places.batchSealed, nth: 3, fate: 'freeze' },
	{ ...places.batchCommitted, nth: 2, fate: 'freeze' },
	{ ...places.restoreRecorded, nth: 2, fate: 'freeze' },
]

/** Where a capture stands still: behind the check of its lease. */
const frozenCaptures: Place[] = [
	{ ...places.segmentsWritten, nth: 5, fate: 'freeze' },
	{ ...places.tablesCommitted, nth: 4, fate: 'freeze' },
	{ ...places.nonceStands, nth: 3, fate: 'freeze' },
]

const cluster = await crashCluster()
afterAll(() => cluster.stop())

describe.concurrent('of two processes', () => {
	test('two services and two captures started by mistake do everything once', { timeout: 600_000 }, async () => {
		await using world = await startCrashWorld(cluster)
		const twins = [await world.start('service'), await world.start('sidecar')]
		await telling(world, async () => {
			await tellStory(world)
			await world.barrier()
			expect(await judge(world)).toEqual([])
			const captures = [world.sidecar, twins[1] as Kept]
			const waiting = captures.filter((one) => one.output().includes('another capture holds the lineage'))
			expect(waiting, 'the second is told').toHaveLength(1)
			await expectAlive(world.service, world.sidecar, ...twins)
		})
	})

	for (const place of frozenWorkers) {
		test(`a worker frozen where ${place.name} cannot write when it wakes`, { timeout: 600_000 }, async () => {
			await using world = await startCrashWorld(cluster, { service: { edits: bystander } })
			const frozen = await world.start('service', { places: [place] })
			await telling(world, async () => {
				const told = tellStory(world)
				const woken = thawed(world, frozen, 'service', async (successor) => {
					await until(() => /goes on where it was left/.test(successor.output()), 'a successor', 300_000)
					await until(() => /"msg":"(batch|restored a batch)"/.test(successor.output()), 'its batch', 300_000)
				})
				await Promise.all([told, woken])
				await world.barrier()
				expect(await judge(world)).toEqual([])
				await expectAlive(world.service, world.sidecar, frozen)
			})
		})
	}

	for (const place of frozenCaptures) {
		test(`a capture frozen where ${place.name} cannot write when it wakes`, { timeout: 600_000 }, async () => {
			await using world = await startCrashWorld(cluster, { sidecar: { places: [place] } })
			const { sql } = world.database
			await sql.unsafe(`alter database ${world.database.name} set wal_sender_timeout = '4s'`)
			await telling(world, async () => {
				const told = tellStory(world)
				const woken = thawed(world, world.sidecar, 'sidecar', async (successor) => {
					await until(() => /"msg":"archived"/.test(successor.output()), 'the successor to archive', 300_000)
				})
				await Promise.all([told, woken])
				await world.barrier()
				expect(await judge(world)).toEqual([])
				await expectAlive(world.service, world.sidecar)
			})
		})
	}
})

/** Starts a successor of what froze, and wakes that one when the successor is at work. */
async function thawed(
	world: CrashWorld,
	frozen: Kept,
	program: 'service' | 'sidecar',
	isAtWork: (successor: Kept) => Promise<void>,
): Promise<void> {
	await until(() => frozen.hits().length > 0, 'the process to freeze', 300_000)
	await isAtWork(await world.start(program))
	frozen.now.child.kill('SIGCONT')
}

async function expectAlive(...all: Kept[]): Promise<void> {
	expect(all.map(({ kills, ended }) => [kills, ended])).toEqual(all.map(() => [0, undefined]))
}
