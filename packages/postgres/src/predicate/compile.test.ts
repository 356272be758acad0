import type { SourceColumn, SourceTable } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { compileWhere } from './compile.ts'

function column(name: string, typeOid: number, typeName: string, typmod = -1, typeKind = 'b'): SourceColumn {
	return { attnum: 1, name, typeOid, typmod, typeName, typeKind, notNull: false, generated: '', identity: '' }
}

const table: SourceTable = {
	oid: 1,
	schema: 'public',
	name: 'people',
	kind: 'r',
	columns: [
		column('id', 23, 'integer'),
		column('name', 25, 'text'),
		column('price', 1700, 'numeric(10,2)', 655_366),
		column('we"ird', 1042, 'character(3)', 7),
		column('mail', 17_000, 'public.citext'),
	],
	key: ['id'],
	foreignKeys: [],
}

test('values are bound as text and cast without the modifier of the column', () => {
	const { text, params } = compileWhere({ column: 'price', op: 'gt', value: 1.005 }, table, 't', { from: 3 })
	expect(text).toBe('(t."price" > $3::numeric)')
	expect(params).toEqual(['1.005'])
})

test('a quote in a column name cannot leave the identifier', () => {
	expect(compileWhere({ column: 'we"ird', op: 'eq', value: "x' or 1=1" }, table, 't').text).toBe(
		'(t."we""ird" = $1::bpchar)',
	)
})

test('an empty and matches every row, an empty or none, and lists nest', () => {
	expect(compileWhere({ and: [] }, table, 't').text).toBe('true')
	expect(compileWhere({ or: [] }, table, 't').text).toBe('false')
	const { text, params } = compileWhere(
		{
			not: {
				or: [
					{ column: 'id', op: 'in', value: [1, 2] },
					{ column: 'name', op: 'isNull' },
				],
			},
		},
		table,
		't',
	)
	expect(text).toBe('(not ((t."id" = any($1::integer[])) or (t."name" is null)))')
	expect(params).toEqual(['{"1","2"}'])
})

test('types of extensions are compared by their own operators', () => {
	expect(compileWhere({ column: 'mail', op: 'eq', value: 'A' }, table, 't').text).toBe(
		'(case when t."mail" is null then null else row(t."mail")::record = row($1::public.citext)::record end)',
	)
})

test('a column that does not exist is refused with those that do', () => {
	expect(() => compileWhere({ column: 'nope', op: 'isNull' }, table, 't')).toThrow(
		expect.objectContaining({ code: 'INVALID', hint: expect.stringContaining('id, name, price') }),
	)
})

test('like is refused on a column that is not text', () => {
	expect(() => compileWhere({ column: 'id', op: 'like', value: '1%' }, table, 't')).toThrow(
		expect.objectContaining({ code: 'INVALID' }),
	)
})
