import { expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { judge } from './crash/judge.ts'
import { places } from './crash/places.ts'
import { editAt, type Place } from './crash/point.ts'
import { tellStory } from './crash/story.ts'
import { type CrashWorld, startCrashWorld, telling } from './crash/world.ts'
import { mountSmallDisk, type SmallDisk } from './disk.ts'
import { type Restartable, startRestartable } from './restartable.ts'
import { openStrikes } from './strikes.ts'

/** Where PostgreSQL has no room left any more. */
const fullAt: Place[] = [
	{ ...places.batchTagged, nth: 2 },
	{ ...places.restoreInserted, nth: 2 },
]

test("PostgreSQL's own disk is full for a while, in a run and in a restore, and everything goes on by itself", {
	timeout: 600_000,
}, async () => {
	const mounted = await mountSmallDisk(320)
	if (!mounted) return expect.fail('a full disk needs the right to mount one')
	await using disk = mounted
	const settings = { max_wal_size: '48MB', min_wal_size: '32MB', shared_buffers: '16MB' }
	await using cluster = await startRestartable(settings, disk.path)
	let world: CrashWorld | undefined
	const relieved: Promise<void>[] = []
	const full = async () => {
		await disk.fill()
		await exhaust(world as CrashWorld)
		relieved.push(relieveWhenNoticed(world as CrashWorld, { disk, cluster }))
	}
	await using strikes = await openStrikes(Object.fromEntries(fullAt.map(({ name }) => [name, full])))
	const edits = fullAt.map((place) => editAt({ ...place, first: strikes.at(place.name), fate: 'nothing' }))
	await using opened = await startCrashWorld(cluster, { service: { edits } })
	world = opened
	await telling(world, async () => {
		await tellStory(opened)
		await opened.barrier()
		expect(await judge(opened)).toEqual([])
		await Promise.all(relieved)
		expect(strikes.struck()).toEqual(fullAt.map(({ name }) => name))
		const { service, sidecar } = opened
		expect([service.kills, sidecar.kills, service.ended, sidecar.ended]).toEqual([0, 0, undefined, undefined])
	})
})

/** Writes log until there is no room for more. */
async function exhaust({ database: { sql } }: CrashWorld): Promise<void> {
	const write = () => sql`select pg_logical_emit_message(false, 'fill', repeat('x', 4000000)), pg_switch_wal()`
	await until(
		() =>
			write().then(
				() => false,
				() => true,
			),
		'the log to be full',
	)
}

/** Gives the room back when both programs have met with the fault a few times, and starts the server if that gave up. */
async function relieveWhenNoticed(
	{ service, sidecar }: CrashWorld,
	{ disk, cluster }: { disk: SmallDisk; cluster: Restartable },
): Promise<void> {
	const complaints = () => [service, sidecar].map((one) => one.output().match(/"level":(40|50)/g)?.length ?? 0)
	const before = complaints()
	const isNoticed = () => complaints().reduce((sum, now, at) => sum + now - (before[at] ?? 0), 0) >= 8
	await until(isNoticed, 'the fault to be noticed', 120_000)
	await disk.relieve()
	await until(
		async () => {
			if (cluster.hasEnded()) await cluster.start().catch(() => {})
			return await cluster.isAnswering()
		},
		'the server to answer again',
		120_000,
	)
}
