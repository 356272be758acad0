/** One column of a source table, as the catalog has it. */
export type SourceColumn = {
	attnum: number
	name: string
	typeOid: number
	typmod: number
	/** `format_type(typeOid, typmod)` under `search_path=pg_catalog`: always a name that a cast understands. */
	typeName: string
	/** pg_type.typtype of the type: b base, c composite, d domain, e enum, m multirange, p pseudo, r range. */
	typeKind: string
	notNull: boolean
	/** '' ordinary, 's' stored, 'v' virtual. */
	generated: '' | 's' | 'v'
	/** '' none, 'a' always, 'd' by default. */
	identity: '' | 'a' | 'd'
	/** pg_get_expr of the default, absent when there is none. */
	default?: string
}

export type ForeignKeyAction = 'noAction' | 'restrict' | 'cascade' | 'setNull' | 'setDefault'

/** One foreign key of a source table; columns are parallel lists. */
export type ForeignKey = {
	name: string
	oid: number
	columns: string[]
	references: { oid: number; schema: string; name: string; columns: string[] }
	onDelete: ForeignKeyAction
	/** Columns that SET NULL / SET DEFAULT rewrites (PostgreSQL 15+ may name a subset). */
	onDeleteColumns: string[]
	deferrable: boolean
	validated: boolean
}

/** A source table at one moment: what the vault records as a schema version, what plans and restores reason over. */
export type SourceTable = {
	oid: number
	schema: string
	name: string
	/** r ordinary, p partitioned root. */
	kind: 'r' | 'p'
	/** Live columns in attnum order, generated ones included. */
	columns: SourceColumn[]
	/** Column names of the primary key (or of the chosen not-null unique index); empty when there is none. */
	key: string[]
	foreignKeys: ForeignKey[]
}
