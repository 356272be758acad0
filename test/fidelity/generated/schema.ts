/** SQL in which `$g` stands for the number of a row, from 1. */
export type Template = string

export type Column = {
	name: string
	/** As DDL names it. */
	type: string
	value: Template
	notNull?: boolean
	default?: string
	identity?: 'always' | 'by default'
	serial?: boolean
	/** Expression of a stored generated column. */
	generated?: string
}

/** Columns that a foreign key may name: a primary key or a unique constraint that is not deferrable. */
export type Key = { columns: string[]; values: Template[]; types: string[] }

export type Action = 'cascade' | 'set null' | 'set default' | 'restrict' | 'no action'

export type ForeignKey = {
	name: string
	/** Numbers of the tables. */
	child: number
	parent: number
	columns: string[]
	references: string[]
	onDelete: Action
	/** Columns of `set null (columns)` and `set default (columns)`. */
	setColumns?: string[]
	match: 'simple' | 'full'
	timing: '' | 'deferrable' | 'deferrable initially deferred'
}

/** One level of partitions: each leaf's bound, and how the leaf is partitioned further. */
export type Partitioning = {
	by: 'list' | 'range' | 'hash'
	column: string
	bounds: string[]
	/** The partitions are made apart, with their columns in another order, and attached. */
	attached: boolean
	below?: Partitioning
}

export type Trigger = { kind: 'rewrite' | 'audit'; name: string; column: string; enable: '' | 'always' | 'replica' }

export type Table = {
	schema: string
	name: string
	columns: Column[]
	/** Key that tells rows apart, and whether it is the primary key or a unique constraint over NOT NULL columns. */
	key: string[]
	keyIs: 'primary key' | 'unique'
	keys: Key[]
	/** Table constraints, in SQL. */
	constraints: string[]
	/** Unique indexes, as SQL behind `on <table>`. */
	indexes: string[]
	/** Columns that were there once. */
	dropped: string[]
	partitions?: Partitioning
	/** Number of the table that this one inherits from; its columns come first. */
	inherits?: number
	triggers: Trigger[]
	rows: number
}

/** A whole database that nobody designed. */
export type Schema = {
	seed: number
	schemas: string[]
	tables: Table[]
	foreignKeys: ForeignKey[]
}
