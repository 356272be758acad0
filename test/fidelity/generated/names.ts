import type { Random } from './random.ts'

/** Schemas with odd names. */
export const schemaNames = ['Mixed Case', 'with.dot', 'quote"d', 'ünïcode', 'select', 'a,b', "it's", '100%'] as const

const tableWords = [
	'order',
	'Order',
	'a.b',
	'x"y',
	'tab le',
	'percent%20',
	'naïve',
	"don't",
	'user',
	'~temp',
	'stage_1',
] as const

const columnWords = [
	'id',
	'Id',
	'select',
	'sel ect',
	'quote"',
	"it's",
	'from',
	'~n',
	'_op',
	'_position',
	'a.b',
	'ünï',
	'n',
	'f',
	's',
	't',
] as const

/** A name that no other table of the database has. */
export function nameTable(random: Random, schemas: string[], number: number): { schema: string; name: string } {
	const word = random.chance(60) ? 't' : random.pick(tableWords)
	const long = random.chance(4) ? ` ${'long '.repeat(10)}` : ''
	return { schema: random.pick(schemas), name: `${word}${number}${long}`.trim().slice(0, 45) }
}

/** A name that no other column of the table has: `place` is the column's number. */
export function columnName(random: Random, place: number): string {
	const word = random.chance(50) ? 'c' : random.pick(columnWords)
	return place === 0 ? word : `${word}${place}`
}
