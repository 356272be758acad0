import { addConstraints } from './constraints.ts'
import { addForeignKeys } from './foreign-keys.ts'
import { columnName, nameTable, schemaNames } from './names.ts'
import { addPartitions } from './partitions.ts'
import { type Random, seededRandom } from './random.ts'
import type { Column, Schema, Table, Trigger } from './schema.ts'
import { keyKinds, plainKinds } from './values.ts'

/** Seeds whose databases are large; every other has 5 to 30 tables. */
const sizes: Readonly<Record<number, number>> = { 10: 60, 20: 90, 30: 120, 40: 200, 50: 400 }

/** The database of a seed: the same for the same seed, for ever. */
export function generateSchema(seed: number): Schema {
	const random = seededRandom(seed)
	const count = sizes[seed] ?? random.int(5, 30)
	const schemas = ['public', ...random.shuffle(schemaNames).slice(0, random.int(1, 4))]
	const tables: Table[] = []
	for (let number = 0; number < count; number++) {
		const heir = number > 2 && random.chance(6) ? findAncestor(random, tables) : undefined
		const named = nameTable(random, schemas, number)
		tables.push(heir === undefined ? plainTable(random, named, count) : heirTable(random, named, tables, heir))
	}
	const wanted = count === 400 ? 800 : Math.round(count * (1 + random.int(0, 10) / 10))
	const foreignKeys = addForeignKeys(random, tables, wanted)
	return { seed, schemas, tables, foreignKeys }
}

type Named = { schema: string; name: string }

function plainTable(random: Random, named: Named, count: number): Table {
	const columns = [...keyColumns(random)]
	const key = columns.map((column) => column.name)
	for (let more = random.int(1, 8); more > 0; more--) columns.push(plainColumn(random, columns.length))
	const table: Table = {
		...named,
		columns,
		key,
		keyIs: random.chance(85) ? 'primary key' : 'unique',
		keys: [],
		constraints: [],
		indexes: [],
		dropped: random.chance(25) ? ['dropped once', 'and "again'] : [],
		triggers: triggersOf(random, columns, key),
		rows: rowsOf(random, count),
	}
	table.keys.push(keyOf(table))
	if (random.chance(count > 100 ? 8 : 15)) addPartitions(random, table)
	addConstraints(random, table)
	return table
}

/** A child by inheritance: its parent's columns, a key of its own over the same values, and more columns. */
function heirTable(random: Random, named: Named, tables: Table[], number: number): Table {
	const parent = tables[number] as Table
	const inherited = parent.columns.map(({ serial, identity, ...column }) => column)
	const columns = [...inherited, plainColumn(random, parent.columns.length + 20)]
	const table: Table = {
		...named,
		columns,
		key: parent.key,
		keyIs: 'primary key',
		keys: [],
		constraints: [],
		indexes: [],
		dropped: [],
		inherits: number,
		triggers: [],
		rows: random.int(0, 40),
	}
	table.keys.push(keyOf(table))
	return table
}

function findAncestor(random: Random, tables: Table[]): number | undefined {
	const number = random.int(0, tables.length - 1)
	const table = tables[number] as Table
	const isPlain = !table.partitions && table.columns.every((column) => !column.generated) && table.dropped.length === 0
	return isPlain ? number : undefined
}

function keyColumns(random: Random): Column[] {
	const first = keyColumn(random, 0)
	if (!random.chance(25)) return [first]
	return [first, keyColumn(random, 1)]
}

function keyColumn(random: Random, place: number): Column {
	const name = columnName(random, place)
	if (place === 0 && random.chance(40)) {
		const counted = { name, type: random.pick(['int4', 'int8']), value: '($g)', notNull: true }
		return random.chance(50)
			? { ...counted, identity: random.pick(['always', 'by default'] as const) }
			: { ...counted, serial: true }
	}
	return { name, ...random.pick(keyKinds), notNull: true }
}

function plainColumn(random: Random, place: number): Column {
	const name = columnName(random, place)
	const kind = random.pick(plainKinds)
	const isHoled = random.chance(40)
	const every = random.int(2, 7)
	return isHoled
		? { name, type: kind.type, value: `case when ($g) % ${every} <> 0 then ${kind.value} end` }
		: { name, ...kind, notNull: random.chance(30) }
}

function keyOf(table: Table): Table['keys'][number] {
	const columns = table.key.map((name) => table.columns.find((column) => column.name === name) as Column)
	return {
		columns: table.key,
		values: columns.map((column) => column.value),
		types: columns.map((column) => column.type),
	}
}

function rowsOf(random: Random, count: number): number {
	if (random.chance(4)) return random.int(2000, count > 100 ? 2500 : 5000)
	return random.chance(8) ? 0 : random.int(1, 200)
}

function triggersOf(random: Random, columns: Column[], key: string[]): Trigger[] {
	const text = columns.find((column) => column.type === 'text' && !key.includes(column.name))
	const triggers: Trigger[] = []
	const enable = () => (random.chance(20) ? random.pick(['always', 'replica'] as const) : '')
	if (text && random.chance(50)) {
		triggers.push({ kind: 'rewrite', name: random.pick(['touch', 'a "rewrite"']), column: text.name, enable: enable() })
	}
	if (random.chance(20)) triggers.push({ kind: 'audit', name: 'audit', column: '', enable: enable() })
	return triggers
}
