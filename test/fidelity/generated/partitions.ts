import type { Random } from './random.ts'
import type { Column, Partitioning, Table } from './schema.ts'

/** Partitions a table by up to three levels; its key is then the columns that decide the partition. */
export function addPartitions(random: Random, table: Table): void {
	const region: Column = { name: 'region', type: 'int4', value: '(($g) % 4)::int4', notNull: true }
	const id: Column = { name: 'row id', type: 'int8', value: '($g)::int8', notNull: true }
	table.columns = [region, ...table.columns.filter((column) => !table.key.includes(column.name)), id]
	table.key = ['region', 'row id']
	table.keys = [{ columns: table.key, values: [region.value, id.value], types: [region.type, id.type] }]
	table.keyIs = 'primary key'
	const levels = random.shuffle(['region', 'row id', 'row id']).slice(0, random.int(1, 3))
	table.partitions = levelsOf(random, levels)
}

function levelsOf(random: Random, columns: string[]): Partitioning | undefined {
	const [column, ...rest] = columns
	if (column === undefined) return undefined
	const attached = random.chance(40)
	return { column, attached, ...boundsOf(random, column), below: levelsOf(random, rest) }
}

function boundsOf(random: Random, column: string): Pick<Partitioning, 'by' | 'bounds'> {
	if (random.chance(33))
		return { by: 'hash', bounds: [0, 1].map((rest) => `for values with (modulus 2, remainder ${rest})`) }
	if (column === 'region') {
		return { by: 'list', bounds: ['for values in (0, 2)', 'for values in (1)', 'default'] }
	}
	return {
		by: 'range',
		bounds: [
			'for values from (minvalue) to (50)',
			'for values from (50) to (120)',
			'for values from (120) to (maxvalue)',
		],
	}
}

/** How many leaves a table has; one when it has no partitions. */
export function countLeaves(partitions: Partitioning | undefined): number {
	return partitions ? partitions.bounds.length * countLeaves(partitions.below) : 1
}
