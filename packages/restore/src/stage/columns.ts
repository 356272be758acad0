import { quoteIdentifier, quoteTable, type SourceColumn, type SourceTable } from '@reprieve/contracts'

/** Quoted names of the columns that a stage adds to the live table's own. */
export type Book = {
	/** Number of the row in its stage, from 0. */
	n: string
	/** Index of the row's schema version in the stage's maps. */
	v: string
	/** Timeline, commit position and ordinal of the change: two timelines may have a change each at one place. */
	timeline: string
	position: string
	ordinal: string
	/** Index into changeOps. */
	op: string
	/** For a relink: {column: new value} as JSON. */
	rewritten: string
	/** Live version (xmin) that the preview saw, for an overwrite. */
	seen: string
}

/** A relink's index in changeOps, which the book's `op` holds. */
export const relinkOp = 1

/** A beginning of names that no column of the table has. */
export function freshPrefix(table: SourceTable): string {
	let prefix = '~'
	while (table.columns.some((column) => column.name.startsWith(prefix))) prefix += '~'
	return prefix
}

/** Names that no column of the table has. */
export function bookFor(table: SourceTable): Book {
	const prefix = freshPrefix(table)
	const name = (suffix: string) => quoteIdentifier(prefix + suffix)
	return {
		n: name('n'),
		v: name('v'),
		timeline: name('timeline'),
		position: name('position'),
		ordinal: name('ordinal'),
		op: name('op'),
		rewritten: name('rewritten'),
		seen: name('seen'),
	}
}

/** SQL of the order in which staged changes count, newest first. */
export function newestFirst(book: Book, alias: string): string {
	return `${alias}.${book.position} desc, ${alias}.${book.timeline} desc, ${alias}.${book.ordinal} desc`
}

/** SQL of the order in which they came. */
export function oldestFirst(book: Book, alias: string): string {
	return `${alias}.${book.position}, ${alias}.${book.timeline}, ${alias}.${book.ordinal}`
}

/** SQL of a value's own text output; NULL only for NULL (a composite of NULLs is none). */
export function textOf(expression: string): string {
	return `case when ${expression} is distinct from null then format('%s', ${expression}) end`
}

/** SQL of a value as a JSON cell: boolean, int2 and int4 natively, text else. */
function cellOf(expression: string, column: Pick<SourceColumn, 'typeOid'>): string {
	if ([16, 21, 23].includes(column.typeOid)) return `to_jsonb(${expression})`
	return `to_jsonb(${textOf(expression)})`
}

/** SQL of the key as a JSON object. */
export function keyObject(table: SourceTable, alias: string): string {
	const parts = keyColumns(table).map(
		(column) => `${literal(column.name)}, ${cellOf(`${alias}.${quoteIdentifier(column.name)}`, column)}`,
	)
	return `jsonb_build_object(${parts.join(', ')})`
}

/** A quoted SQL string. */
export function literal(text: string): string {
	return text.includes('\\')
		? `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
		: `'${text.replaceAll("'", "''")}'`
}

/** SQL name of the rows that a table itself holds: its leaves when partitioned, else without inheritance children. */
export function ownRows(table: SourceTable): string {
	return table.kind === 'p' ? quoteTable(table) : `only ${quoteTable(table)}`
}

/** Columns of the table's key, in the key's order. */
export function keyColumns(table: SourceTable): SourceColumn[] {
	return table.key.flatMap((name) => table.columns.find((column) => column.name === name) ?? [])
}

/** Columns that hold values of their own. */
export function storedColumns(table: SourceTable): SourceColumn[] {
	return table.columns.filter((column) => column.generated === '')
}

/** Built-in scalar types whose image is a function of their text: image comparison alone decides. */
const plainTypes = new Set([
	16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 114, 142, 650, 774, 829, 869, 1042, 1043, 1082, 1083, 1114, 1184,
	1186, 1266, 1560, 1562, 1700, 2950, 3220, 3614, 3615, 3802, 4072, 5069, 790,
])

/**
 * SQL of "the two rows are the same in these columns": PostgreSQL's comparison of the images, except that NaN equals NaN
 * whatever its payload and an array's unused null bitmap does not count (exactness.md 9.9); where those can occur, equal
 * text is equal too.
 */
export function sameImage(
	columns: SourceColumn[],
	{ byteColumns }: { byteColumns: ReadonlySet<string> },
	[left, right]: [string, string],
): string {
	if (columns.length === 0) return 'true'
	const isPlain = ({ typeOid, name }: SourceColumn) => plainTypes.has(typeOid) || byteColumns.has(name)
	const plain = columns.filter(isPlain)
	const other = columns.filter((column) => !isPlain(column))
	const image = (some: SourceColumn[]) =>
		some.length === 0 ? 'true' : `record_image_eq(row(${list(some, left)}), row(${list(some, right)}))`
	const texts = other.map((column) => {
		const name = quoteIdentifier(column.name)
		return `(${textOf(`${left}.${name}`)}) is not distinct from (${textOf(`${right}.${name}`)})`
	})
	if (other.length === 0) return `(${image(plain)})`
	return `(${image(plain)} and (${image(other)} or (${texts.join(' and ')})))`
}

/** `alias."a", alias."b"`. */
export function list(columns: SourceColumn[], alias: string): string {
	return columns.map((column) => `${alias}.${quoteIdentifier(column.name)}`).join(', ')
}
