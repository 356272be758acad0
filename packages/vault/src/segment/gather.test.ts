import { randomBytes } from 'node:crypto'
import type { SourceColumn, SourceTable, TextColumn } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { hashKey, hashKeys, seedOf } from '../lookup/hash.ts'
import { cellAt, type NativeValues } from '../values/native.ts'
import { cellText } from '../values/text.ts'
import { codecOf } from '../values/types.ts'
import { cellsOf } from './cells.ts'
import { encodeColumn, encodeMaps, encodeStrings, joinColumns } from './encode.ts'
import { freshMemory, type Gathered, gatherSorted } from './gather.ts'
import { openParquet } from './parquet.ts'
import { type RowGroup, rowGroupsOf } from './read.ts'
import { buildSliced } from './write.ts'

const columns = [
	{ name: 'id', type: 'long', oid: 1, attnum: 1, typeOid: 20 },
	{ name: 'note', type: 'string', oid: 1, attnum: 2, typeOid: 25 },
] as const
const table = { columns: columns.map(({ name }) => ({ name }) as SourceColumn), key: ['id'] } as SourceTable

/** Groups of rows whose ids fall: four of five unless said otherwise. */
function rowGroups(
	count = 20,
	rows = 5,
	ids: string[] = Array.from({ length: count }, (_, row) => String(count - row)),
	noteOf = (id: string) => `note ${id}`,
): RowGroup[] {
	const column = (name: string, type: 'long' | 'integer' | 'timestamp' | 'string', texts: readonly string[]) => ({
		name,
		encoded: codecOf(type).encode(cellsOf([...texts]), 0, texts.length),
	})
	const all = [
		{ name: '_op', encoded: encodeStrings(count, () => 'delete') },
		{ name: '_leaf', encoded: encodeStrings(count, () => null) },
		{ name: '_rewritten', encoded: encodeMaps(count, () => null) },
		{ name: '_exact', encoded: encodeMaps(count, () => null) },
		...['_xid', '_position'].map((name) => column(name, 'long', ids)),
		column('_ordinal', 'integer', ids),
		column(
			'_committed_at',
			'timestamp',
			ids.map(() => '2024-01-01 00:00:00+00'),
		),
		column('id', 'long', ids),
		column('note', 'string', ids.map(noteOf)),
	]
	const encoded = all.map((each) => encodeColumn(each, count, { rows }))
	return rowGroupsOf(openParquet(joinColumns(encoded, count, { rows })), table, columns)
}

/** Texts of a column in their order. */
async function texts(rows: Gathered, column: (typeof columns)[number]): Promise<string[]> {
	const { data } = await rows.gather(column)
	const { decode } = codecOf(column.type)
	return Array.from({ length: rows.count }, (_, row) =>
		Buffer.from(decode(cellAt(data as NativeValues, row))).toString(),
	)
}

test('rows come in the order of their key, with their values', async () => {
	const sorted = await gatherSorted(rowGroups(), { table, columns }, freshMemory())
	expect(await texts(sorted, columns[0])).toEqual(Array.from({ length: 20 }, (_, row) => String(row + 1)))
	expect(await texts(sorted, columns[1])).toEqual(Array.from({ length: 20 }, (_, row) => `note ${row + 1}`))
	expect(sorted.range).toEqual({
		...{ first: { position: 1n, ordinal: 1 }, final: { position: 20n, ordinal: 20 } },
		isOrdered: true,
	})
})

test('the texts of keys are those that came in, and hash as they do', async () => {
	const limit = 2n ** 53n
	const ids = [0n, 7n, -1n, limit, -limit, limit + 1n, -limit - 1n, 2n ** 63n - 1n, -(2n ** 63n), 10n ** 18n]
	const sorted = await gatherSorted(rowGroups(ids.length, 3, ids.map(String)), { table, columns }, freshMemory())
	const [key] = (await sorted.keyTexts()) as [TextColumn]
	const inOrder = ids.sort((a, b) => (a < b ? -1 : 1)).map(String)
	expect(inOrder.map((_, row) => cellText(key, row))).toEqual(inOrder)
	const seed = seedOf('0f8fad5b-d9cb-469f-a165-70867728950e')
	const note = cellsOf(inOrder.map((_, row) => [null, '', 'ä', 'x'.repeat(99)][row % 4] as string | null))
	const hashes = hashKeys(seed, [key, note], { start: 1, end: ids.length })
	expect([...hashes]).toEqual(
		inOrder.map((id, row) => hashKey(seed, [id, note.present[row] === 1 ? cellText(note, row) : null])).slice(1),
	)
})

test('pages of numbers lie in the same memory, one after the other', async () => {
	const groups = rowGroups()
	const memory = freshMemory()
	const { pages } = memory
	const sizes: number[] = []
	const watched = groups.map((group): RowGroup => {
		const plain: RowGroup['plain'] = async (column, out) => {
			const found = await group.plain(column, out)
			if (column.name === 'id' && out === pages) sizes.push(out.used)
			return found
		}
		return { ...group, plain }
	})
	const sorted = await gatherSorted(watched, { table, columns }, memory)
	await sorted.gather(columns[0])
	expect(sizes).toEqual([sizes[0], sizes[0], sizes[0], sizes[0]])
})

test('a sample has the first rows of some groups, and costs no look at the others', async () => {
	const asked = new Set<number>()
	const counted = Array.from({ length: 3 }, () => rowGroups())
		.flat()
		.map((group, at): RowGroup => {
			const plain: RowGroup['plain'] = (column, out) => {
				if (column.name === 'note') asked.add(at)
				return group.plain(column, out)
			}
			return { ...group, plain }
		})
	const sorted = await gatherSorted(counted, { table, columns }, freshMemory())
	const sample = sorted.sample(4)
	expect(await texts(sample, columns[1])).toEqual(['note 1', 'note 2', 'note 3', 'note 4'])
	expect(await texts(sample, columns[0])).toEqual(['1', '2', '3', '4'])
	expect(asked).toEqual(new Set([3]))
	expect(sorted.sample(1_000).count).toBe(60)
})

test('a sample among many small groups has rows of the large one', async () => {
	const one = (count: number) => rowGroups(count, count)
	const groups = [...one(1), ...one(2_000), ...Array.from({ length: 100 }, () => one(1)).flat()]
	const sorted = await gatherSorted(groups, { table, columns }, freshMemory())
	expect(sorted.sample(500).count).toBe(500)
})

test('rows that are too long for a slice each, and so are not cut, are gathered once', async () => {
	const wide = () => randomBytes(300_000).toString('base64')
	const sorted = await gatherSorted(rowGroups(4, 2, undefined, wide), { table, columns }, freshMemory())
	const gathered: string[] = []
	const counting = {
		...sorted,
		gather: (column: { name: string }) => {
			gathered.push(column.name)
			return sorted.gather(column as never)
		},
	}
	await buildSliced(counting, { path: 'data/a.parquet', bounded: [] })
	expect(gathered.toSorted()).toEqual(sorted.columns.map(({ name }) => name).toSorted())
})

test.each([
	['of their own', (id: string) => `note ${(Number(id) * 7) % 20}`],
	['that a group shares', (id: string) => `note ${Math.ceil(Number(id) / 5)}`],
])('the extremes of texts %s are those of the rows that are taken', async (_, noteOf) => {
	const sorted = await gatherSorted(rowGroups(20, 5, undefined, noteOf), { table, columns }, freshMemory())
	for (const rows of [sorted, sorted.sample(6)]) {
		const own = await texts(rows, columns[1])
		const { extremes } = (await rows.gather(columns[1])).data as NativeValues
		const ordered = own.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
		expect([own[extremes?.min ?? -1], own[extremes?.max ?? -1]]).toEqual([ordered[0], ordered.at(-1)])
	}
})
