import { expect, test } from 'vitest'
import { type ChainState, endOf, judgeLink } from './chain.ts'
import { place } from './fixture.ts'

const state: ChainState = { covered: place(100n, 7), session: 'a', isContiguous: true }
const end = 0xffffffff

type Case = [says: string, from: Partial<ChainState>, frame: Partial<Parameters<typeof judgeLink>[1]>, kind: string]

const cases: Case[] = [
	['follows the newest row', {}, { predecessor: place(100n, 7), final: place(110n, 0) }, 'follows'],
	['has rows from behind it', {}, { predecessor: place(90n, 0), final: place(110n, 0) }, 'follows'],
	['goes on in the same transaction', {}, { predecessor: place(100n, 7), final: place(100n, 9) }, 'follows'],
	['has been read', {}, { predecessor: place(90n, 0), final: place(100n, 7) }, 'repeated'],
	['has no rows', {}, { predecessor: place(100n, 7), final: place(100n, 7) }, 'repeated'],
	['leaves out a row of the same transaction', {}, { predecessor: place(100n, 8), final: place(110n, 0) }, 'hole'],
	['leaves out a transaction', {}, { predecessor: place(105n, 0), final: place(110n, 0) }, 'hole'],
	['is of another session in its middle', {}, { session: 'b', predecessor: place(105n, 0) }, 'hole'],
	['starts a session before', {}, { session: 'b', predecessor: place(99n, end), final: place(110n, 0) }, 'follows'],
	['starts a session behind, nothing left out', {}, { session: 'b', predecessor: place(105n, end) }, 'starts'],
	[
		'starts a session behind what was left out',
		{ isContiguous: false },
		{ session: 'b', predecessor: place(105n, end) },
		'gap',
	],
	['starts the first session behind', { session: undefined }, { predecessor: place(105n, end) }, 'starts'],
	['is not the first of its own session', {}, { predecessor: place(105n, end) }, 'hole'],
	['has transactions of the same session', {}, { kind: 'transactions', predecessor: endOf(105n) }, 'hole'],
	[
		'has transactions of a session never seen',
		{ session: undefined },
		{ kind: 'transactions', predecessor: endOf(105n) },
		'hole',
	],
	['has transactions of a later session', {}, { kind: 'transactions', session: 'b', predecessor: endOf(105n) }, 'gap'],
	[
		'has transactions that follow',
		{},
		{ kind: 'transactions', session: 'b', predecessor: endOf(99n), final: endOf(120n) },
		'follows',
	],
]

test.for(cases)('a frame that %s', ([, from, frame, kind]) => {
	const sent = { kind: 'rows', session: 'a', predecessor: place(0n, 0), final: place(110n, 0), ...frame } as const
	expect(judgeLink({ ...state, ...from }, sent)).toEqual({ kind })
})
