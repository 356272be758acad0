import { afterAll, expect, test } from 'vitest'
import { judge } from './crash/judge.ts'
import { places } from './crash/places.ts'
import { editAt, type Place } from './crash/point.ts'
import { tellStory } from './crash/story.ts'
import { startCrashWorld, telling } from './crash/world.ts'
import { startRestartable } from './restartable.ts'
import { openStrikes } from './strikes.ts'

/** Where the server is restarted, and how. */
const restarts: Record<'service' | 'sidecar', (Place & { mode: 'fast' | 'immediate' })[]> = {
	service: [
		{ ...places.planBeingWritten, mode: 'fast' },
		{ ...places.batchTagged, nth: 2, mode: 'immediate' },
		{ ...places.batchSealed, nth: 5, mode: 'fast' },
		{ ...places.batchCommitted, nth: 7, mode: 'immediate' },
		{ ...places.restoreInserted, nth: 2, mode: 'immediate' },
		{ ...places.restoreRecorded, nth: 5, mode: 'fast' },
	],
	sidecar: [
		{ ...places.segmentsWritten, nth: 4, mode: 'immediate' },
		{ ...places.nonceStands, nth: 3, mode: 'fast' },
	],
}

const cluster = await startRestartable()
afterAll(() => cluster.stop())

test('service and sidecar go on by themselves when the server is restarted in the middle of their work', {
	timeout: 600_000,
}, async () => {
	const all = [...restarts.service, ...restarts.sidecar]
	await using strikes = await openStrikes(
		Object.fromEntries(all.map(({ name, mode }) => [name, () => cluster.restart(mode)])),
	)
	const edits = (program: 'service' | 'sidecar') =>
		restarts[program].map(({ mode: _, ...place }) =>
			editAt({ ...place, first: strikes.at(place.name), fate: 'nothing' }),
		)
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
