import { quoteIdentifier, quoteTable } from '@reprieve/contracts'
import type { Column, ForeignKey, Partitioning, Schema, Table } from './schema.ts'
import { typeStatements } from './values.ts'

/** The table that audit triggers write into. */
export const auditTable = { schema: 'generated_types', name: 'audit log' }

const quoted = (names: string[]) => names.map(quoteIdentifier).join(', ')

/**
 * Everything that makes the database, in order. Foreign keys come after the rows, so that also cycles without NULLs
 * exist; triggers come last, so that they have touched nothing yet.
 */
export function createStatements(schema: Schema): string[] {
	const { tables } = schema
	return [
		...typeStatements,
		...auditStatements,
		...schema.schemas.filter((name) => name !== 'public').map((name) => `create schema ${quoteIdentifier(name)}`),
		...tables.flatMap((table) => tableStatements(table, tables)),
		...tables.flatMap(rowStatements),
		...schema.foreignKeys.map((key) => foreignKeyStatement(key, tables)),
		...schema.foreignKeys.flatMap((key) => referencingIndex(key, tables[key.child] as Table)),
		...tables.flatMap(triggerStatements),
	]
}

const auditStatements = [
	`create table ${quoteTable(auditTable)} (id int8 generated always as identity primary key, told text, op text)`,
	`insert into ${quoteTable(auditTable)} (told, op) select 'kept', 'before' from generate_series(1, 5)`,
	`create function generated_types.audit() returns trigger language plpgsql as $$ begin
		insert into ${quoteTable(auditTable)} (told, op) values (tg_table_name, tg_op); return null; end $$`,
]

function tableStatements(table: Table, tables: Table[]): string[] {
	const name = quoteTable(table)
	const parent = table.inherits === undefined ? undefined : (tables[table.inherits] as Table)
	const inherited = new Set(parent?.columns.map((column) => column.name))
	const own = table.columns.filter((column) => !inherited.has(column.name)).map(columnSql)
	const dropped = table.dropped.map((column) => `${quoteIdentifier(column)} text default 'gone'`)
	const [first, ...rest] = [...own.slice(0, 1), ...dropped, ...own.slice(1)]
	const key = `${table.keyIs} (${quoted(table.key)})`
	const partitioned = table.partitions ? ` ${partitionSql(table.partitions)}` : ''
	return [
		`create table ${name} (${[...(first ? [first] : []), ...rest, key, ...table.constraints].join(', ')})${parent ? ` inherits (${quoteTable(parent)})` : ''}${partitioned}`,
		...table.dropped.map((column) => `alter table ${name} drop column ${quoteIdentifier(column)}`),
		...table.indexes.map((index) => `create unique index on ${name} ${index}`),
		...(table.partitions ? partitionStatements(table, table.partitions, table) : []),
	]
}

function columnSql(column: Column): string {
	const type = column.serial ? { int4: 'serial', int8: 'bigserial' }[column.type] : column.type
	return [
		quoteIdentifier(column.name),
		type,
		column.notNull ? 'not null' : '',
		column.default ? `default ${column.default}` : '',
		column.identity ? `generated ${column.identity} as identity` : '',
		column.generated ? `generated always as (${column.generated}) stored` : '',
	].join(' ')
}

function partitionSql(partitions: Partitioning): string {
	return `partition by ${partitions.by} (${quoteIdentifier(partitions.column)})`
}

/** Each partition of a level, with its own below; an attached one has its columns the other way round. */
function partitionStatements(
	table: Table,
	partitions: Partitioning,
	above: { schema: string; name: string },
): string[] {
	return partitions.bounds.flatMap((bound, number) => {
		const leaf = { schema: table.schema, name: `${above.name}/${number}` }
		const { below } = partitions
		const further = below ? ` ${partitionSql(below)}` : ''
		const made = partitions.attached
			? [
					`create table ${quoteTable(leaf)} (${['"was here" int', ...[...table.columns].reverse().map(columnSql)].join(', ')})${further}`,
					`alter table ${quoteTable(leaf)} drop column "was here"`,
					...table.constraints.map((constraint) => `alter table ${quoteTable(leaf)} add ${constraint}`),
					`alter table ${quoteTable(above)} attach partition ${quoteTable(leaf)} ${bound}`,
				]
			: [`create table ${quoteTable(leaf)} partition of ${quoteTable(above)} ${bound}${further}`]
		return [...made, ...(below ? partitionStatements(table, below, leaf) : [])]
	})
}

function rowStatements(table: Table): string[] {
	const stored = table.columns.filter((column) => !column.generated)
	const values = stored.map((column) => column.value.replaceAll('$g', 'g'))
	const counted = table.columns.filter((column) => column.serial || column.identity)
	return [
		`insert into ${quoteTable(table)} (${quoted(stored.map((column) => column.name))}) overriding system value
		select ${values.join(', ')} from generate_series(1, ${table.rows}) g`,
		...counted.map(
			(column) =>
				`select setval(pg_get_serial_sequence('${quoteTable(table).replaceAll("'", "''")}', '${column.name.replaceAll("'", "''")}'), ${table.rows + 7})`,
		),
	]
}

function foreignKeyStatement(key: ForeignKey, tables: Table[]): string {
	const set = key.setColumns ? ` (${quoted(key.setColumns)})` : ''
	return `alter table ${quoteTable(tables[key.child] as Table)} add constraint ${quoteIdentifier(key.name)}
		foreign key (${quoted(key.columns)}) references ${quoteTable(tables[key.parent] as Table)} (${quoted(key.references)})
		match ${key.match} on delete ${key.onDelete}${set} ${key.timing}`
}

/** As many tables have it, small ones not: every row that goes looks for the rows that reference it. */
function referencingIndex(key: ForeignKey, child: Table): string[] {
	return child.rows > 50 ? [`create index on ${quoteTable(child)} (${quoted(key.columns)})`] : []
}

function triggerStatements(table: Table, number: number): string[] {
	const name = quoteTable(table)
	return table.triggers.flatMap((trigger) => {
		const trigger_ = quoteIdentifier(trigger.name)
		const made =
			trigger.kind === 'audit'
				? [
						`create trigger ${trigger_} after insert or update or delete on ${name} for each row execute function generated_types.audit()`,
					]
				: [
						`create function generated_types.rewrite_${number}() returns trigger language plpgsql as $$ begin
						new.${quoteIdentifier(trigger.column)} = 'rewritten'; return new; end $$`,
						`create trigger ${trigger_} before insert or update on ${name} for each row execute function generated_types.rewrite_${number}()`,
					]
		return [...made, ...(trigger.enable ? [`alter table ${name} enable ${trigger.enable} trigger ${trigger_}`] : [])]
	})
}
