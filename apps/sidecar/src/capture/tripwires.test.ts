import type { Tuple } from '@reprieve/cdc'
import { expect, test } from 'vitest'
import type { Mapping } from './mapping.ts'
import { openTransaction } from './transaction.ts'
import { tripOnImage } from './tripwires.ts'

/** The incidents of one deleted row (7, `note`) of a table whose columns are NOT NULL. */
function incidentsOf({ identity, note }: { identity: string; note: string | null }) {
	const columns = ['id', 'note'].map((name) => ({ name, key: name === 'id', typeOid: 25, typmod: -1 }))
	const relation = { oid: 1, schema: 'public', name: 't', identity, columns }
	const bytes = Buffer.from(`7${note ?? ''}`)
	const length = Int32Array.of(1, note === null ? -1 : note.length)
	const old: Tuple = { bytes, count: 2, start: Int32Array.of(0, 1), length }
	const transaction = openTransaction({ position: 5n, committedAt: 0n, xid: 7 })
	const mapping = { label: 't', relation, notNull: [0, 1] } as unknown as Mapping
	tripOnImage(transaction, { mapping, image: 'O', old })
	return [...transaction.incidents.values()].map(({ code, message }) => `${code}: ${message}`)
}

test('a whole row of a table whose identity is full is no incident', () => {
	expect(incidentsOf({ identity: 'f', note: 'x' })).toEqual([])
})

test('a NULL in a column that is NOT NULL is an incident', () => {
	expect(incidentsOf({ identity: 'f', note: null })).toEqual([
		'NULL_IN_NOT_NULL: a row deleted from t at 0/5 has NULL in note, which is NOT NULL',
	])
})

test('a whole row of a table whose identity is not full is an incident', () => {
	expect(incidentsOf({ identity: 'd', note: 'x' })).toEqual([
		'IDENTITY_NOT_FULL: t at 0/5 had replica identity d, not f',
	])
})
