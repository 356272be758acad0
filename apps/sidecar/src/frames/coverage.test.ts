import { expect, test } from 'vitest'
import { judgeShare } from './coverage.ts'
import { sentAt } from './fixture.ts'

const [share] = sentAt(100n, 2).shares
const epoch = { lineage: 'l', epoch: 3 }

test.for<[Record<string, bigint> | undefined, string]>([
	[undefined, 'awaited'],
	[{}, 'awaited'],
	[{ 'l/3/2': 99n }, 'awaited'],
	[{ 'l/3/2': 100n }, 'covered'],
	[{ 'l/3/2': 500n }, 'covered'],
	[{ 'l/3/1': 500n }, 'awaited'],
	[{ 'l/2/2': 500n }, 'awaited'],
	[{ l: 100n }, 'covered'],
	[{ 'l/3/2': 500n, 'l/3/2/gap/99': 200n }, 'missing'],
	[{ 'l/3/2': 500n, 'l/3/2/gap/50': 100n }, 'missing'],
	[{ 'l/3/2': 500n, 'l/3/2/gap/50': 99n }, 'covered'],
	[{ 'l/3/2': 500n, 'l/3/2/gap/100': 200n }, 'covered'],
	[{ 'l/3/2': 500n, 'l/3/22/gap/50': 200n }, 'covered'],
])('with %o in its log, a share at 100 of partition 2 is %s', ([sources, state]) => {
	if (!share) throw new Error('no share')
	expect(judgeShare(sources && new Map(Object.entries(sources)), share, epoch)).toBe(state)
})
