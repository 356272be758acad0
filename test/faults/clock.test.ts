import { expect, test } from 'vitest'
import { judge } from './crash/judge.ts'
import { places } from './crash/places.ts'
import { type Edit, editAt, type Place } from './crash/point.ts'
import { tellStory } from './crash/story.ts'
import { crashCluster, startCrashWorld, telling } from './crash/world.ts'

/** A clock of the process that can be set: `clockAhead` milliseconds before the machine's own. */
const settable = `globalThis.clockAhead = 0
globalThis.Date = class extends Date {
	constructor(...given) { given.length === 0 ? super(globalThis.Date.now()) : super(...given) }
	static now() { return super.now() + globalThis.clockAhead }
}
`
const month = 30 * 24 * 3_600_000

/** Where the clock of the process is set, and to how far from the machine's own. */
const jumps: Record<'service' | 'sidecar', (Place & { ahead: number })[]> = {
	service: [
		{ ...places.planBeingWritten, ahead: month },
		{ ...places.batchTagged, nth: 2, ahead: -month },
		{ ...places.batchSealed, nth: 9, ahead: month },
		{ ...places.restoreInserted, nth: 2, ahead: -month },
	],
	sidecar: [
		{ ...places.segmentsWritten, nth: 4, ahead: month },
		{ ...places.tablesCommitted, nth: 9, ahead: -month },
		{ ...places.transactionsCommitted, nth: 16, ahead: 0 },
	],
}

test('clocks of service and sidecar that are set forward and back by a month change nothing', {
	timeout: 600_000,
}, async () => {
	await using cluster = await crashCluster()
	const edits = (program: 'service' | 'sidecar', start: Omit<Edit, 'instead'>): Edit[] => [
		{ ...start, instead: `${settable}${start.at}` },
		...jumps[program].map(({ ahead, ...place }) =>
			editAt({ ...place, first: `globalThis.clockAhead = ${ahead}`, fate: 'nothing' }),
		),
	]
	await using world = await startCrashWorld(cluster, {
		service: { edits: edits('service', { file: 'apps/service/src/main.ts', at: 'async function main()' }) },
		sidecar: { edits: edits('sidecar', { file: 'apps/sidecar/src/main.ts', at: 'try {' }) },
	})
	await telling(world, async () => {
		await tellStory(world)
		await world.barrier()
		expect(await judge(world)).toEqual([])
		for (const program of ['service', 'sidecar'] as const) {
			const { kills, ended, hits } = world[program]
			expect([kills, ended, hits().toSorted()]).toEqual([
				0,
				undefined,
				jumps[program].map(({ name }) => name).toSorted(),
			])
		}
		const status = await world.client.system.status()
		expect(status).toMatchObject({ status: 'ok', capture: { state: 'streaming' } })
		const { items } = await world.client.audit.list({ limit: 200 })
		const times = items.map(({ at }) => Date.parse(at))
		expect(Math.max(...times) - Math.min(...times)).toBeLessThan(month / 2)
	})
})
