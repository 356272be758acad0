import { countLeaves } from './partitions.ts'
import type { Random } from './random.ts'
import type { Action, ForeignKey, Key, Table } from './schema.ts'

const actions: readonly Action[] = ['cascade', 'set null', 'set default', 'restrict', 'no action']
const timings = ['', '', 'deferrable', 'deferrable initially deferred'] as const

/** Adds foreign keys, with the columns that hold them, between any of the tables. */
export function addForeignKeys(random: Random, tables: Table[], wanted: number): ForeignKey[] {
	const keys: ForeignKey[] = []
	for (let number = 0; keys.length < wanted; number++) {
		const child = random.int(0, tables.length - 1)
		if (tables.some((table) => table.inherits === child)) continue
		const parent = parentOf(random, tables, child)
		if (linksOf(tables, child, parent) > mostLinks) continue
		keys.push(addForeignKey(random, tables, { number, child, parent }))
	}
	return keys
}

/** PostgreSQL keeps a constraint for every pair of leaves that a key links. */
const mostLinks = 40

function linksOf(tables: Table[], child: number, parent: number): number {
	return countLeaves(tables[child]?.partitions) * countLeaves(tables[parent]?.partitions)
}

/** Mostly an earlier table; now and then any, itself too, which makes cycles. */
function parentOf(random: Random, tables: Table[], child: number): number {
	const free = random.chance(tables.length > 100 ? 4 : 15)
	return free ? random.int(0, tables.length - 1) : random.int(0, Math.max(0, child - 1))
}

function addForeignKey(
	random: Random,
	tables: Table[],
	ends: { number: number; child: number; parent: number },
): ForeignKey {
	const { number, child, parent } = ends
	const [from, to] = [tables[child] as Table, tables[parent] as Table]
	const key = random.pick(to.keys)
	const onDelete = random.pick(actions)
	const isFull = key.columns.length > 1 && random.chance(30)
	const columns = addColumns(random, from, { number, key, onDelete, rows: to.rows })
	// PostgreSQL copies the list of columns to partitions without translating their numbers.
	const setsSome =
		!from.partitions && key.columns.length > 1 && !isFull && (onDelete === 'set null' || onDelete === 'set default')
	return {
		name: `fk "${number}"`,
		child,
		parent,
		columns,
		references: key.columns,
		onDelete,
		...(setsSome && random.chance(50) ? { setColumns: [random.pick(columns)] } : {}),
		match: isFull ? 'full' : 'simple',
		timing: random.pick(timings),
	}
}

/** Columns that hold some parent's key: never NULL, NULL now and then, or always where there is no parent. */
function addColumns(
	random: Random,
	table: Table,
	given: { number: number; key: Key; onDelete: Action; rows: number },
): string[] {
	const { number, key, onDelete, rows } = given
	const notNull = rows > 0 && onDelete !== 'set null' && table.inherits === undefined && random.chance(30)
	const every = random.int(2, 6)
	const row = `(1 + (($g)::int8 * ${random.int(1, 7)} + ${random.int(0, 99)}) % ${Math.max(rows, 1)})`
	return key.columns.map((_, place) => {
		const type = key.types[place] as string
		const value = (key.values[place] as string).replaceAll('$g', row)
		const held = notNull ? value : `case when ($g) % ${every} <> 0 then ${value} end`
		const name = `fk ${number} ${place}`
		table.columns.push({
			name,
			type,
			value: rows === 0 ? 'null' : held,
			notNull,
			...(onDelete === 'set default' && rows > 0 && (notNull || random.chance(60))
				? { default: (key.values[place] as string).replaceAll('$g', '1') }
				: {}),
		})
		return name
	})
}
