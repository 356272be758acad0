import { expect, test } from 'vitest'
import { archivedOn, type Branch, branchSource, endedTimelines, endMarkOf, isBeyondEnd, timelineAt } from './branch.ts'

const first: Branch = { lineage: 'l', timeline: 1, ended: [] }
const third: Branch = {
	lineage: 'l',
	timeline: 3,
	ended: [
		{ timeline: 1, end: 100n },
		{ timeline: 2, end: 200n },
	],
}

test('a commit belongs to the timeline that the history gives for its position', () => {
	expect([99n, 100n, 199n, 200n].map((position) => timelineAt(third, position))).toEqual([1, 2, 2, 3])
	expect(timelineAt(first, 5n)).toBe(1)
})

test('a lineage has the first source to itself and another one on each later timeline', () => {
	expect([branchSource(first), branchSource(third)]).toEqual(['l', 'l@3'])
})

test('what a log has of timelines that were left counts as far as it is common history', async () => {
	const before = (end: bigint) => end - 1n
	const has = (of: Record<string, bigint>) => archivedOn({ archived: async (source) => of[source] }, third, before)
	expect(await has({})).toBeUndefined()
	expect(await has({ l: 50n })).toBe(50n)
	expect(await has({ l: 150n })).toBe(99n)
	expect(await has({ l: 150n, 'l@2': 120n })).toBe(120n)
	expect(await has({ l: 150n, 'l@2': 300n })).toBe(199n)
	expect(await has({ l: 150n, 'l@2': 300n, 'l@3': 205n })).toBe(205n)
})

test('a commit at or behind the end of its own timeline never happened', () => {
	const ended = [
		...(endedTimelines(
			new Map([
				['l', 5n],
				[endMarkOf('l', 1), 100n],
				[endMarkOf('a@b', 2), 7n],
			]),
		).get('l') ?? []),
	]
	expect(ended).toEqual([{ timeline: 1, end: 100n }])
	expect(isBeyondEnd(ended, { timeline: 1, lsn: 99n })).toBe(false)
	expect(isBeyondEnd(ended, { timeline: 1, lsn: 100n })).toBe(true)
	expect(isBeyondEnd(ended, { timeline: 2, lsn: 100n })).toBe(false)
})
