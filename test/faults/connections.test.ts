import { afterAll, describe, expect, test } from 'vitest'
import type { TestDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { cuts } from './crash/cuts.ts'
import { judge } from './crash/judge.ts'
import { editAt } from './crash/point.ts'
import { tellStory } from './crash/story.ts'
import { type CrashWorld, crashCluster, startCrashWorld, telling } from './crash/world.ts'

const cluster = await crashCluster()
afterAll(() => cluster.stop())

describe.concurrent('nothing is lost, doubled or left', () => {
	for (const program of ['service', 'sidecar'] as const) {
		test(`when the server ends connections of the ${program}`, { timeout: 600_000 }, async () => {
			const edits = cuts[program].map((place) => editAt({ ...place, fate: 'nothing' }))
			await using world = await startCrashWorld(cluster, { [program]: { edits } })
			await telling(world, async () => {
				await tellStory(world)
				await expectAllBack(world)
				expect(world[program].hits().toSorted()).toEqual(cuts[program].map(({ name }) => name).toSorted())
			})
		})
	}

	test('when an application locks rows in the opposite order', { timeout: 600_000 }, async () => {
		await using world = await startCrashWorld(cluster)
		const application = lockBackwards(world)
		await telling(world, async () => {
			await tellStory(world)
			await application.stop()
			await expectAllBack(world)
			const { sql, name } = world.database
			const deadlocks = () => sql`select from pg_stat_database where datname = ${name} and deadlocks > 0`
			// A session that has become idle may hand its counts over ten seconds late.
			await until(async () => (await deadlocks()).length > 0, 'a deadlock', 30_000)
		})
	})

	test('when the database sets time-outs for everybody', { timeout: 600_000 }, async () => {
		await using world = await startCrashWorld(cluster, {}, { prepare: setTimeouts })
		await telling(world, async () => {
			await tellStory(world)
			await expectAllBack(world)
		})
	})
})

async function expectAllBack(world: CrashWorld): Promise<void> {
	await world.barrier()
	expect(await judge(world)).toEqual([])
	const { service, sidecar } = world
	expect([service.kills, sidecar.kills, service.ended, sidecar.ended]).toEqual([0, 0, undefined, undefined])
}

/** Holds a later row and asks for an earlier one, over and over; what it changes it takes back. */
function lockBackwards({ database: { sql } }: CrashWorld): { stop(): Promise<void> } {
	let isStopped = false
	const worker = async (start: number) => {
		for (let id = start; !isStopped; id = id >= 39 ? 1 : id + 1) {
			await sql
				.begin(async (tx) => {
					await tx`select from public.parent where id = ${id + 1} for update`
					await tx`select count(*) from generate_series(1, 200000)`
					await tx`select from public.parent where id = ${id} for update`
				})
				.catch((error: { code?: string }) => {
					if (error.code !== '40P01') throw error
				})
		}
	}
	const working = Promise.all([worker(1), worker(20)])
	return {
		async stop() {
			isStopped = true
			await working
		},
	}
}

/** Fit for an application whose statements are short and whose sessions come and go. */
async function setTimeouts({ sql, name }: TestDatabase): Promise<void> {
	const settings = {
		...{ statement_timeout: '40ms', lock_timeout: '40ms', idle_in_transaction_session_timeout: '40ms' },
		transaction_timeout: '40ms',
		...{
			idle_session_timeout: '1s',
			default_transaction_read_only: 'on',
			default_transaction_isolation: 'serializable',
		},
	}
	for (const [setting, value] of Object.entries(settings))
		await sql.unsafe(`alter database ${name} set ${setting} = '${value}'`)
}
