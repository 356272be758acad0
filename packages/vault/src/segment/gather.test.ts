import type { SourceColumn, SourceTable } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { codecOf } from '../values/types.ts'
import { cellsOf } from './cells.ts'
import { encodeColumn, encodeMaps, encodeStrings, joinColumns } from './encode.ts'
import { gatherSorted } from './gather.ts'
import { openParquet } from './parquet.ts'
import { type RowGroup, rowGroupsOf } from './read.ts'

const columns = [
	{ name: 'id', type: 'long', oid: 1, attnum: 1, typeOid: 20 },
	{ name: 'note', type: 'string', oid: 1, attnum: 2, typeOid: 25 },
] as const
const table = { columns: columns.map(({ name }) => ({ name }) as SourceColumn), key: ['id'] } as SourceTable

/** Four groups of five rows whose ids fall. */
function rowGroups(): RowGroup[] {
	const ids = Array.from({ length: 20 }, (_, row) => String(20 - row))
	const column = (name: string, type: 'long' | 'integer' | 'timestamp' | 'string', texts: readonly string[]) => ({
		name,
		encoded: codecOf(type).encode(cellsOf([...texts]), 0, texts.length),
	})
	const all = [
		{ name: '_op', encoded: encodeStrings(20, () => 'delete') },
		{ name: '_leaf', encoded: encodeStrings(20, () => null) },
		{ name: '_rewritten', encoded: encodeMaps(20, () => null) },
		{ name: '_exact', encoded: encodeMaps(20, () => null) },
		...['_xid', '_position'].map((name) => column(name, 'long', ids)),
		column('_ordinal', 'integer', ids),
		column(
			'_committed_at',
			'timestamp',
			ids.map(() => '2024-01-01 00:00:00+00'),
		),
		column('id', 'long', ids),
		column(
			'note',
			'string',
			ids.map((id) => `note ${id}`),
		),
	]
	const encoded = all.map((each) => encodeColumn(each, 20, { rows: 5 }))
	return rowGroupsOf(openParquet(joinColumns(encoded, 20, { rows: 5 })), table, columns)
}

/** The group, which says while it holds values. */
function watched(group: RowGroup, holding: Set<RowGroup>, note: () => void): RowGroup {
	const hold = <T>(result: T) => {
		holding.add(group)
		note()
		return result
	}
	return {
		...group,
		values: (column) => hold(group.values(column)),
		collect: (column, builder) => hold(group.collect(column, builder)),
		release() {
			holding.delete(group)
			group.release()
		},
	}
}

test('rows come in the order of their key, and of all groups one at a time holds values', async () => {
	const holding = new Set<RowGroup>()
	let most = 0
	const note = () => {
		most = Math.max(most, holding.size)
	}
	const groups = rowGroups().map((group) => watched(group, holding, note))
	const rows = await gatherSorted(groups, { table, sortedBy: ['id'] })
	expect([...rows.position]).toEqual(Array.from({ length: 20 }, (_, row) => BigInt(row + 1)))
	const { bytes, offsets } = await rows.textsOf(1, 20)
	const notes = Array.from({ length: 20 }, (_, row) =>
		Buffer.from(bytes.slice(offsets[row], offsets[row + 1])).toString(),
	)
	expect(notes).toEqual(Array.from({ length: 20 }, (_, row) => `note ${row + 1}`))
	expect({ most, left: holding.size }).toEqual({ most: 1, left: 0 })
})

test('the first rows alone cost no look at groups that have none of them', async () => {
	const groups = rowGroups()
	const asked = new Set<number>()
	const counted = groups.map((group, at): RowGroup => {
		const collect: RowGroup['collect'] = (column, builder) => {
			asked.add(at)
			return group.collect(column, builder)
		}
		return { ...group, collect }
	})
	const rows = await gatherSorted(counted, { table, sortedBy: ['id'] })
	const { bytes, offsets, present } = await rows.textsOf(1, 6)
	expect(Buffer.from(bytes).toString()).toBe('note 1note 2note 3note 4note 5note 6')
	expect({ rows: present.length, offsets: offsets.length, asked }).toEqual({
		rows: 6,
		offsets: 7,
		asked: new Set([2, 3]),
	})
})
