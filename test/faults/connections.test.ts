import { afterAll, describe, expect, test } from 'vitest'
import type { TestDatabase } from '../support/postgres.ts'
import { judge } from './crash/judge.ts'
import { editAt, type Place } from './crash/point.ts'
import { tellStory } from './crash/story.ts'
import { type CrashWorld, crashCluster, startCrashWorld, telling } from './crash/world.ts'

/** The server ends the connection that is at work. */
const endOwn = 'await tx.unsafe(`select pg_terminate_backend(pg_backend_pid())`).catch(() => {})'
/** The server ends every connection of the process's programs. */
const endAll = `await control.sql\`select pg_terminate_backend(pid) from pg_stat_activity
	where datname = current_database() and application_name like 'reprieve %' and pid <> pg_backend_pid()\``

const batch = 'apps/service/src/runs/worker/delete-batch.ts'
const restoreBatch = 'packages/restore/src/execute/batch.ts'
const archive = 'apps/sidecar/src/archive/loop.ts'

const cut: Record<'service' | 'sidecar', Omit<Place, 'fate'>[]> = {
	service: [
		{
			name: 'a plan is being written',
			file: 'apps/service/src/plans/make.ts',
			at: 'requireTables(principal, touchedTables(evaluation))',
			first: endOwn,
		},
		{
			name: 'tables are published, their protection is not recorded',
			file: 'packages/postgres/src/protect/apply.ts',
			at: 'await recordProtection(tx, plan, options)',
			first: endOwn,
		},
		{ name: 'a batch is tagged', file: batch, at: 'const before = await readServerCounts(', nth: 2, first: endOwn },
		{ name: 'a batch is sealed', file: batch, at: 'await requireOpenGate(tx, [', nth: 5, first: endOwn },
		{
			name: 'a batch of a restore has inserted',
			file: restoreBatch,
			at: 'await advanceSequences(tx, stages)',
			nth: 2,
			first: endOwn,
		},
		{
			name: 'a batch of a restore is recorded',
			file: 'apps/service/src/restores/worker/execute.ts',
			at: 'return counted',
			nth: 5,
			first: endOwn,
		},
	],
	sidecar: [
		{ name: 'segments are written', file: archive, at: 'await buffer.vault.commit(', nth: 4, first: endSession() },
		{
			name: 'transactions are in the vault',
			file: archive,
			at: 'await recordArchived(',
			when: 'batch.record.length > 0',
			nth: 12,
			first: endAll,
		},
	],
}

function endSession(): string {
	return `await this.#options.control.sql\`select pg_terminate_backend(active_pid) from pg_replication_slots
		where database = current_database()\``
}

const cluster = await crashCluster()
afterAll(() => cluster.stop())

describe.concurrent('nothing is lost, doubled or left', () => {
	for (const program of ['service', 'sidecar'] as const) {
		test(`when the server ends connections of the ${program}`, { timeout: 600_000 }, async () => {
			const edits = cut[program].map((place) => editAt({ ...place, fate: 'nothing' }))
			await using world = await startCrashWorld(cluster, { [program]: { edits } })
			await telling(world, async () => {
				await tellStory(world)
				await expectAllBack(world)
				expect(world[program].hits().toSorted()).toEqual(cut[program].map(({ name }) => name).toSorted())
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
			const [found] = await sql<{ deadlocks: number }[]>`
				select deadlocks::int as deadlocks from pg_stat_database where datname = ${name}`
			expect(found?.deadlocks).toBeGreaterThan(0)
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
		...{
			idle_session_timeout: '1s',
			default_transaction_read_only: 'on',
			default_transaction_isolation: 'serializable',
		},
	}
	for (const [setting, value] of Object.entries(settings))
		await sql.unsafe(`alter database ${name} set ${setting} = '${value}'`)
}
