import { expect, test } from 'vitest'
import { placeColumns, type Slot } from './slots.ts'

test.each<[string, string[], string[], number[] | undefined]>([
	['as it is', ['id int', 'n int'], ['id int', 'n int'], [1, 2]],
	['retyped since', ['id int', 'n int'], ['id int', 'n bigint'], [1, 2]],
	['renamed since', ['id int', 'n int'], ['id int', 'm int'], [1, 2]],
	['retyped since, and others added behind it', ['id int', 'n int'], ['id int', 'n bigint', 'o int', 'p int'], [1, 2]],
	['added and dropped since', ['id int', 'n int', 'gone int'], ['id int', 'n int', ''], [1, 2, 3]],
	[
		'with a generated column, which need not be there',
		['id int', 'n int'],
		['id int', 'g int *', 'n bigint'],
		undefined,
	],
	['dropped, or retyped: nobody can tell', ['id int', 'n int'], ['id int', '', 'n bigint'], undefined],
	['beyond what the table has', ['id int', 'n int', 'm int'], ['id int', 'n int'], undefined],
	['without a column that always was', ['id int'], ['first int', 'id int'], undefined],
	['one of two that were dropped', ['id int', 'a int', 'z int'], ['id int', '', '', 'z int'], undefined],
	['both of two that were dropped', ['id int', 'a int', 'b int', 'z int'], ['id int', '', '', 'z int'], [1, 2, 3, 4]],
])('the columns of a relation %s', (_, relation, catalog, placed) => {
	expect(placeColumns(relation.map(columnOf), catalog.map(slotOf))).toEqual(placed)
})

const types = ['int', 'bigint']

function columnOf(text: string) {
	const [name = '', type = ''] = text.split(' ')
	return { name, typeOid: types.indexOf(type), typmod: -1, key: false }
}

function slotOf(text: string, index: number): Slot {
	const isGenerated = text.endsWith('*')
	return { attnum: index + 1, isGenerated, ...(text && { column: columnOf(text) }) }
}
