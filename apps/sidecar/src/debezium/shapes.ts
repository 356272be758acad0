import { type DebeziumEvent, type JsonObject, Loss, type Relation, type RowTexts, valueText } from '@reprieve/cdc'
import {
	debeziumPublication,
	formatTableName,
	parseLsn,
	type SourceColumn,
	type TableName,
	typeVerdict,
	type WireType,
} from '@reprieve/contracts'
import { readWireTable, type Sql, type WireColumn, type WireTable } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { adoptRemedy, CaptureStopped } from '../incident.ts'

/** A table as events carry it: the relation to announce, and how each of its columns is written. */
export type Shape = {
	relation: Relation
	/** Parallel to the relation's columns. */
	wires: WireType[]
	/** Why no row of it arrives whole; undefined when all do. */
	loss: string | undefined
}

/** Milliseconds that the catalog is believed: types may change between two events without a sign in them. */
const staleMs = 1_000

/** What the catalog says of a table, and what was known of it before a column's type changed. */
type Known = {
	table: WireTable
	readAt: number
	/** Transactions that end at or before `until` may have either type. */
	former: { table: WireTable; until: bigint } | undefined
}

/** What events' tables are, by the catalog; of columns that are gone, by the vault's newest schema version. */
export class Shapes {
	readonly #sql: Sql
	readonly #vault: Vault
	readonly #tables = new Map<string, Known>()
	readonly #shapes = new Map<string, Shape>()
	readonly #formers = new Map<string, Shape>()

	constructor(sql: Sql, vault: Vault) {
		this.#sql = sql
		this.#vault = vault
	}

	/**
	 * The shape of an event's row. Throws SCHEMA_DRIFT when neither catalog nor vault knows the table, or one of the
	 * row's columns.
	 */
	async find(event: DebeziumEvent, options: { isFresh?: boolean } = {}): Promise<Shape> {
		const name = { schema: event.schema, name: event.table }
		const key = formatTableName(name)
		const image = event.before ?? event.row
		let table = await this.#table(name, options.isFresh ?? false)
		if (image && table && namesBeyond(table, image).length > 0) table = await this.#withDropped(name, image)
		if (!table) throw drift(key, 'neither the catalog nor the vault knows it')
		const shape = makeShape(table, image, this.#shapes.get(key))
		this.#shapes.set(key, shape)
		return shape
	}

	/**
	 * The shape that an event's row had before a column was retyped, if its transaction may have written it; call after
	 * {@link find}.
	 */
	former(event: DebeziumEvent, end: bigint): Shape | undefined {
		const key = formatTableName({ schema: event.schema, name: event.table })
		const former = this.#tables.get(key)?.former
		const image = event.before ?? event.row
		if (!former || end > former.until || !image || namesBeyond(former.table, image).length > 0) return undefined
		const shape = makeShape(former.table, image, this.#formers.get(key))
		this.#formers.set(key, shape)
		return shape
	}

	/** A column that the catalog has no more is what the vault's newest version says it was. */
	async #withDropped(name: TableName, image: JsonObject): Promise<WireTable | undefined> {
		const key = formatTableName(name)
		const table = await this.#table(name, true)
		const beyond = table ? namesBeyond(table, image) : []
		if (!table || beyond.length === 0) return table
		const archived = (await this.#vault.table(table.root).schemas()).findLast((version) => version.oid)
		const columns = (archived?.columns ?? []).filter((column) => beyond.includes(column.name)).map(bareColumn)
		if (columns.length < beyond.length) throw drift(key, `nobody knows its columns ${beyond.join(', ')}`)
		const whole = { ...table, columns: [...table.columns, ...columns] }
		return this.#keep(key, whole, this.#tables.get(key)?.former)
	}

	async #table(name: TableName, isFresh: boolean): Promise<WireTable | undefined> {
		const key = formatTableName(name)
		const known = this.#tables.get(key)
		if (known && !isFresh && performance.now() - known.readAt < staleMs) return known.table
		const table = (await readWireTable(this.#sql, name)) ?? (await this.#archivedTable(name))
		if (!table) return undefined
		const before = known?.table ?? (await this.#archivedTable(table.root))
		const isRetyped = before !== undefined && hasOtherTypes(table, before)
		return this.#keep(key, table, isRetyped ? await this.#formerOf(before) : known?.former)
	}

	/** Equal tables are one object. */
	#keep(key: string, table: WireTable, former: Known['former']): WireTable {
		const known = this.#tables.get(key)?.table
		const kept = known && JSON.stringify(known) === JSON.stringify(table) ? known : table
		this.#tables.set(key, { table: kept, readAt: performance.now(), former })
		return kept
	}

	/** A retyping waits for every transaction that wrote the table: whatever commits from now on has the new type. */
	async #formerOf(table: WireTable): Promise<Known['former']> {
		const [now] = await this.#sql<{ at: string }[]>`select pg_current_wal_lsn()::text as at`
		return now && { table, until: parseLsn(now.at) }
	}

	/** A table that was dropped: its built-in types are what the vault says they were. */
	async #archivedTable(name: TableName): Promise<WireTable | undefined> {
		const version = (await this.#vault.table(name).schemas()).at(-1)
		if (!version) return undefined
		const columns = version.columns.filter((column) => column.generated === '').map(bareColumn)
		const { oid } = version
		return { ...name, oid, root: name, identity: 'f', columns, generated: [] }
	}
}

/** A column as the vault remembers it: of its type only the built-in part is known. */
function bareColumn({ name: column, typeName: type, typeOid, typmod, typeKind: kind }: SourceColumn): WireColumn {
	const wire = { oid: typeOid, typmod, kind, name: type, isArray: type.endsWith('[]'), extension: null }
	return { column, type, typeOid, typmod, wire }
}

/** Whether a column that both have is of another type. */
function hasOtherTypes(table: WireTable, before: WireTable): boolean {
	return table.columns.some(({ column, typeOid, typmod }) => {
		const former = before.columns.find((one) => one.column === column)
		return former !== undefined && (former.typeOid !== typeOid || former.typmod !== typmod)
	})
}

function namesBeyond(table: WireTable, image: JsonObject): string[] {
	if (image.size === table.columns.length && table.columns.every(({ column }) => image.has(column))) return []
	const known = new Set([...table.columns.map(({ column }) => column), ...table.generated])
	return [...image.keys()].filter((name) => !known.has(name))
}

function drift(table: string, why: string): CaptureStopped {
	return new CaptureStopped('SCHEMA_DRIFT', {
		code: 'SCHEMA_DRIFT',
		message: `${table} has events, but ${why}`,
		remedy: `Let the connector follow the publication ${debeziumPublication} alone. ${adoptRemedy}`,
		table,
	})
}

/** The shape for a row's names: the same object as before when nothing changed. */
function makeShape(table: WireTable, image: JsonObject | undefined, known: Shape | undefined): Shape {
	const carried = table.columns.filter((column) => !image || image.has(column.column))
	const isSame = known && sources.get(known) === table && known.wires.length === carried.length
	if (isSame && carried.every(({ column }, place) => known.relation.columns[place]?.name === column)) return known
	const shape = {
		relation: relationOf(table, carried),
		wires: carried.map((column) => column.wire),
		loss: lossOf(table),
	}
	sources.set(shape, table)
	return shape
}

/** The table that a shape was made of. */
const sources = new WeakMap<Shape, WireTable>()

function relationOf({ oid, schema, name, identity }: WireTable, columns: WireColumn[]): Relation {
	return {
		oid,
		schema,
		name,
		identity,
		columns: columns.map(({ column, typeOid, typmod }) => ({ name: column, typeOid, typmod, key: false })),
	}
}

function lossOf(table: WireTable): string | undefined {
	for (const { column, type, wire } of table.columns) {
		const { form, reason } = typeVerdict(wire)
		if (form === undefined) return `${column} is of type ${type}: ${reason}`
	}
	return undefined
}

/** The texts of a row in its shape's order; a {@link Loss} when one of them is not certain. */
export function rowTexts(image: JsonObject, shape: Shape): RowTexts | Loss {
	const texts: RowTexts = []
	for (const [place, { name }] of shape.relation.columns.entries()) {
		const text = valueText(image.get(name) ?? null, shape.wires[place] as WireType)
		if (text instanceof Loss) return new Loss(`${name}: ${text.reason}`)
		texts.push(text)
	}
	return texts
}
