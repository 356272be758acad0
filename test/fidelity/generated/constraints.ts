import { quoteIdentifier } from '@reprieve/contracts'
import type { Random } from './random.ts'
import type { Column, Table } from './schema.ts'

/** Constraints of every kind that a table's rows satisfy, each over columns of its own. */
export function addConstraints(random: Random, table: Table): void {
	const kinds = random.shuffle(Object.values(constraintKinds)).slice(0, random.int(0, 3))
	for (const add of kinds) add(table)
	if (table.partitions) return
	for (const add of random.shuffle(Object.values(uniqueKinds)).slice(0, random.int(0, 3))) add(table, random)
}

function column(table: Table, name: string, type: string, value: string, notNull = false): string {
	const added: Column = { name, type, value, notNull }
	table.columns.push(added)
	return quoteIdentifier(name)
}

const constraintKinds = {
	check(table: Table) {
		table.constraints.push(`constraint positive check (${column(table, 'positive', 'int4', '($g)::int4 * 2')} > 0)`)
	},
	checkOverTwo(table: Table) {
		const low = column(table, 'low', 'numeric', '($g)::numeric / 3')
		table.constraints.push(
			`constraint "Low < High" check (${low} < ${column(table, 'High', 'numeric', '($g)::numeric')})`,
		)
	},
	notNull(table: Table) {
		column(table, 'required', 'jsonb', "'{}'::jsonb", true)
	},
	generated(table: Table) {
		const base = column(table, 'base', 'int4', 'nullif(($g)::int4 % 9, 0)')
		table.columns.push({ name: 'Generated', type: 'int8', value: '', generated: `(${base} * 3::int8)` })
	},
	default(table: Table) {
		column(table, 'with default', 'text', "case when ($g) % 2 = 0 then 'given' end")
		Object.assign(table.columns.at(-1) as Column, { default: "'default'" })
	},
}

const uniqueKinds = {
	unique(table: Table, random: Random) {
		const value = random.pick(["('u' || ($g))::text", "md5(($g) || 'u')::text"])
		const name = column(table, 'unique one', 'text', value, true)
		table.constraints.push(`unique (${name})`)
		table.keys.push({ columns: ['unique one'], values: [value], types: ['text'] })
	},
	uniquePair(table: Table) {
		const values = ['(($g) / 3)::int4', '(($g) % 3)::int4']
		const names = values.map((value, place) => column(table, `pair ${place}`, 'int4', value))
		table.constraints.push(`unique (${names.join(', ')})`)
		table.keys.push({ columns: ['pair 0', 'pair 1'], values, types: ['int4', 'int4'] })
	},
	nullsNotDistinct(table: Table) {
		const name = column(table, 'nulls equal', 'int4', 'nullif(($g)::int4, 1)')
		table.constraints.push(`unique nulls not distinct (${name})`)
	},
	partialIndex(table: Table) {
		const name = column(table, 'partly', 'int4', 'case when ($g) % 3 = 0 then ($g)::int4 else 0 end')
		table.indexes.push(`(${name}) where ${name} <> 0`)
	},
	expressionIndex(table: Table) {
		table.indexes.push(`(lower(${column(table, 'Lowered', 'text', "'MiXed ' || ($g)")}))`)
	},
	exclusion(table: Table) {
		const name = column(table, 'apart', 'int4range', 'int4range(($g)::int4 * 10, ($g)::int4 * 10 + 5)')
		table.constraints.push(`exclude using gist (${name} with &&)`)
	},
	deferrableExclusion(table: Table) {
		const name = column(table, 'late', 'numrange', 'numrange(($g), ($g) + 0.5)')
		table.constraints.push(`exclude using gist (${name} with &&) deferrable initially deferred`)
	},
	deferrableUnique(table: Table, random: Random) {
		const name = column(table, 'deferred', 'int8', '-($g)::int8')
		table.constraints.push(`unique (${name}) deferrable initially ${random.pick(['immediate', 'deferred'])}`)
	},
}
