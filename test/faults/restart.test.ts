import { afterAll, expect, test } from 'vitest'
import { judge } from './crash/judge.ts'
import { editAt, type Place } from './crash/point.ts'
import { tellStory } from './crash/story.ts'
import { startCrashWorld, telling } from './crash/world.ts'
import { startRestartable } from './restartable.ts'
import { openStrikes } from './strikes.ts'

const batch = 'apps/service/src/runs/worker/delete-batch.ts'
const restore = 'apps/service/src/restores/worker/execute.ts'

/** Where the server is restarted, and how. */
const places: Record<'service' | 'sidecar', (Place & { mode: 'fast' | 'immediate' })[]> = {
	service: [
		{
			name: 'a plan is being written',
			file: 'apps/service/src/plans/make.ts',
			at: 'requireTables(principal, touchedTables(evaluation))',
			mode: 'fast',
		},
		{ name: 'a batch is tagged', file: batch, at: 'const before = await readServerCounts(', nth: 2, mode: 'immediate' },
		{ name: 'a batch is sealed', file: batch, at: 'await requireOpenGate(tx, [', nth: 5, mode: 'fast' },
		{ name: 'a batch is committed', file: batch, at: 'return done as BatchDone', nth: 7, mode: 'immediate' },
		{
			name: 'a batch of a restore has inserted',
			file: 'packages/restore/src/execute/batch.ts',
			at: 'await advanceSequences(tx, stages)',
			nth: 2,
			mode: 'immediate',
		},
		{ name: 'a batch of a restore is recorded', file: restore, at: 'return counted', nth: 5, mode: 'fast' },
	],
	sidecar: [
		{
			name: 'segments are written',
			file: 'apps/sidecar/src/archive/loop.ts',
			at: 'await buffer.vault.commit(',
			nth: 4,
			mode: 'immediate',
		},
		{
			name: 'a nonce stands, the slot is not acknowledged',
			file: 'apps/sidecar/src/lineage/acknowledge.ts',
			at: 'acknowledge(position)\n',
			nth: 3,
			mode: 'fast',
		},
	],
}

const cluster = await startRestartable()
afterAll(() => cluster.stop())

test('service and sidecar go on by themselves when the server is restarted in the middle of their work', {
	timeout: 600_000,
}, async () => {
	const all = [...places.service, ...places.sidecar]
	await using strikes = await openStrikes(
		Object.fromEntries(all.map(({ name, mode }) => [name, () => cluster.restart(mode)])),
	)
	const edits = (program: 'service' | 'sidecar') =>
		places[program].map(({ mode: _, ...place }) => editAt({ ...place, first: strikes.at(place.name), fate: 'nothing' }))
	await using world = await startCrashWorld(cluster, {
		service: { edits: edits('service') },
		sidecar: { edits: edits('sidecar') },
	})
	await telling(world, async () => {
		await tellStory(world)
		await world.barrier()
		expect(await judge(world)).toEqual([])
		const { service, sidecar } = world
		expect([service.kills, sidecar.kills, service.ended, sidecar.ended]).toEqual([0, 0, undefined, undefined])
		expect(strikes.struck().toSorted()).toEqual(all.map(({ name }) => name).toSorted())
	})
})
