import { expect, test } from 'vitest'
import { judge } from './crash/judge.ts'
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
const batch = 'apps/service/src/runs/worker/delete-batch.ts'
const archive = 'apps/sidecar/src/archive/loop.ts'

/** Where the clock of the process is set, and to how far from the machine's own. */
const places: Record<'service' | 'sidecar', (Place & { ahead: number })[]> = {
	service: [
		{
			name: 'a plan is being written',
			file: 'apps/service/src/plans/make.ts',
			at: 'requireTables(principal, touchedTables(evaluation))',
			ahead: month,
		},
		{ name: 'a batch is tagged', file: batch, at: 'const before = await readServerCounts(', nth: 2, ahead: -month },
		{ name: 'a batch is sealed', file: batch, at: 'await requireOpenGate(tx, [', nth: 9, ahead: month },
		{
			name: 'a batch of a restore has inserted',
			file: 'packages/restore/src/execute/batch.ts',
			at: 'await advanceSequences(tx, stages)',
			nth: 2,
			ahead: -month,
		},
	],
	sidecar: [
		{ name: 'segments are written', file: archive, at: 'await buffer.vault.commit(', nth: 4, ahead: month },
		{
			name: 'tables are committed, the transactions are not',
			file: archive,
			at: 'if (batch.append) {',
			when: 'batch.append && batch.commit.length > 0',
			nth: 9,
			ahead: -month,
		},
		{
			name: 'transactions are in the vault',
			file: archive,
			at: 'await record(batch.record',
			when: 'batch.record.length > 0',
			nth: 16,
			ahead: 0,
		},
	],
}

test('clocks of service and sidecar that are set forward and back by a month change nothing', {
	timeout: 600_000,
}, async () => {
	await using cluster = await crashCluster()
	const edits = (program: 'service' | 'sidecar', start: Omit<Edit, 'instead'>): Edit[] => [
		{ ...start, instead: `${settable}${start.at}` },
		...places[program].map(({ ahead, ...place }) =>
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
				places[program].map(({ name }) => name).toSorted(),
			])
		}
		const status = await world.client.system.status()
		expect(status).toMatchObject({ status: 'ok', capture: { state: 'streaming' } })
		const { items } = await world.client.audit.list({ limit: 200 })
		const times = items.map(({ at }) => Date.parse(at))
		expect(Math.max(...times) - Math.min(...times)).toBeLessThan(month / 2)
	})
})
