import type { Relation } from '@reprieve/cdc'
import type { SourceColumn, SourceTable } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { matchAltered, matchDropped, matchRelation } from './match.ts'

const id = column(1, 'id', 23)
const a = column(2, 'a', 25)
const b = column(3, 'b', 25)

test('the shape of the catalog is taken, wherever its columns stand in the leaf', () => {
	const match = matchRelation(relation(['a', 25], ['id', 23]), { catalog: table(id, a) })
	expect(match?.table.columns).toEqual([id, a])
	expect([...(match?.places ?? [])]).toEqual([1, 0])
})

test('a generated column need not be carried', () => {
	const generated = { ...b, generated: 's' as const }
	const match = matchRelation(relation(['id', 23]), { catalog: table(id, generated) })
	expect([...(match?.places ?? [])]).toEqual([0, -1])
})

test('the shape before a dropped column is the one that the vault has', () => {
	const archived = table(id, a, b)
	expect(matchRelation(relation(['id', 23], ['a', 25], ['b', 25]), { catalog: table(id, b), archived })?.table).toBe(
		archived,
	)
})

test('a shape between the two is put together of both, by attnum', () => {
	const c = column(4, 'c', 20)
	const match = matchRelation(relation(['id', 23], ['a', 25], ['c', 20]), {
		catalog: table(id, c),
		archived: table(id, a),
	})
	expect(match?.table.columns.map((known) => known.attnum)).toEqual([1, 2, 4])
})

test('a column added since is no part of the version', () => {
	const match = matchRelation(relation(['id', 23]), { catalog: table(id, a) })
	expect(match?.table.columns).toEqual([id])
})

test('the same name with another type or modifier is no match', () => {
	expect(matchRelation(relation(['id', 23], ['a', 23]), { catalog: table(id, a) })).toBeUndefined()
	const long = { ...a, typmod: 14 }
	expect(matchRelation(relation(['id', 23], ['a', 25]), { catalog: table(id, long) })).toBeUndefined()
})

test('a table that is gone is described by the stream alone', () => {
	const match = matchDropped(relation(['id', 23], ['a', 25]), [
		{ name: 'integer', kind: 'b' },
		{ name: 'text', kind: 'b' },
	])
	expect(match.table.columns).toMatchObject([
		{ attnum: 1, name: 'id', typeName: 'integer' },
		{ attnum: 2, name: 'a', typeName: 'text' },
	])
})

test('a column that was retyped and one that was renamed since keep their numbers, and the key goes with them', () => {
	const now = { ...table({ ...id, name: 'number', typeOid: 20 }, { ...a, name: 'c' }), key: ['number'] }
	const slots = now.columns.map((each) => ({ attnum: each.attnum, column: each, isGenerated: false }))
	const types = [
		{ name: 'integer', kind: 'b' },
		{ name: 'text', kind: 'b' },
	]
	const match = matchAltered(relation(['id', 23], ['a', 25]), { table: now, leaf: now, slots }, types)
	expect(match?.table).toMatchObject({
		key: ['id'],
		columns: [
			{ attnum: 1, name: 'id', typeOid: 23, typeName: 'integer' },
			{ attnum: 2, name: 'a', typeOid: 25, typeName: 'text' },
		],
	})
})

function column(attnum: number, name: string, typeOid: number): SourceColumn {
	return {
		attnum,
		name,
		typeOid,
		typmod: -1,
		typeName: 'text',
		typeKind: 'b',
		notNull: false,
		generated: '',
		identity: '',
	}
}

function table(...columns: SourceColumn[]): SourceTable {
	return { oid: 7, schema: 'public', name: 't', kind: 'r', columns, key: ['id'], foreignKeys: [] }
}

function relation(...columns: [name: string, typeOid: number][]): Relation {
	const shape = columns.map(([name, typeOid]) => ({ name, typeOid, typmod: -1, key: false }))
	return { oid: 7, schema: 'public', name: 't', identity: 'f', columns: shape }
}
