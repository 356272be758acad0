import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { BinaryValue, Relation, ValueText } from '@reprieve/cdc'
import { ReprieveError } from '@reprieve/contracts'
import { arrayLiteral, type Sql } from '@reprieve/postgres'
import { writeHex } from '@reprieve/vault'

/** How values of a column become text: they are it, its bytes are written in hex, or the server writes them as the type. */
export type TextForm = 'same' | 'hex' | { type: string }

/** A row of a message with the places of its binary values. */
export type BinaryRow = { message: Uint8Array; values: readonly BinaryValue[] }

/** Output and send functions of types whose two forms need no server. */
const knownForms: Readonly<Record<string, TextForm>> = {
	'textout textsend': 'same',
	'varcharout varcharsend': 'same',
	'bpcharout bpcharsend': 'same',
	'json_out json_send': 'same',
	'byteaout byteasend': 'hex',
}

const copyHeader = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const copyEnd = Buffer.from([0xff, 0xff])

/** The form of each column of a relation; of a domain its base type's, undefined where the type is gone. */
export async function readTextForms(sql: Sql, { columns }: Relation): Promise<(TextForm | undefined)[]> {
	const rows = await sql<{ functions: string; type: string | null }[]>`
		with recursive chain(place, type, depth) as (
			select c.place, c.type, 0
			from unnest(${arrayLiteral(columns.map(({ typeOid }) => typeOid))}::oid[]) with ordinality c(type, place)
			union all
			select chain.place, d.typbasetype, chain.depth + 1 from chain join pg_type d on d.oid = chain.type
			where d.typtype = 'd')
		select distinct on (chain.place) concat(t.typoutput::regproc, ' ', t.typsend::regproc) as functions,
			case when t.oid is not null then format_type(t.oid, -1) end as type
		from chain left join pg_type t on t.oid = chain.type order by chain.place, chain.depth desc`
	return rows.map(({ functions, type }) => knownForms[functions] ?? (type === null ? undefined : { type }))
}

/** The texts of rows of one relation, as the server would have written them into its stream. Throws what the server refuses. */
export async function readTexts(
	sql: Sql,
	forms: readonly (TextForm | undefined)[],
	rows: readonly BinaryRow[],
): Promise<ValueText[][]> {
	const written = await writtenByServer(sql, forms, rows)
	return rows.map(({ message, values }, row) =>
		values.map(({ column, start, length }) => {
			const bytes = message.subarray(start, start + length)
			const form = forms[column]
			if (form === 'same') return textOf(bytes)
			if (form === 'hex') return hexOf(bytes)
			const text = written[row]?.get(column)
			if (!text) throw new ReprieveError('INTERNAL', `the server gave no text of column ${column}`)
			return textOf(text)
		}),
	)
}

/** By row, the texts of the columns that only the server can write. */
async function writtenByServer(
	sql: Sql,
	forms: readonly (TextForm | undefined)[],
	rows: readonly BinaryRow[],
): Promise<Map<number, Uint8Array>[]> {
	const wanted = new Set(rows.flatMap(({ values }) => values.map(({ column }) => column)))
	const columns = [...wanted].filter((column) => typeof forms[column] !== 'string')
	if (columns.length === 0) return []
	const declared = columns.map((column) => `c${column} ${typeName(forms[column], column)}`)
	return await sql.begin(async (tx) => {
		await tx.unsafe(`create temporary table reprieve_texts (place int4, ${declared.join(', ')}) on commit drop`)
		const sink = await tx.unsafe('copy pg_temp.reprieve_texts from stdin (format binary)').writable()
		await pipeline(Readable.from(copyBinary(rows, columns), { objectMode: false }), sink)
		const names = columns.map((column) => `c${column}`).join(', ')
		const texts = await tx.unsafe(`select ${names} from pg_temp.reprieve_texts order by place`).raw()
		return (texts as unknown as (Uint8Array | null)[][]).map(
			(row) => new Map(columns.flatMap((column, at) => (row[at] ? [[column, row[at]] as const] : []))),
		)
	})
}

function typeName(form: TextForm | undefined, column: number): string {
	if (typeof form === 'object') return form.type
	throw new ReprieveError('SCHEMA_DRIFT', `the type of column ${column} was dropped, and its values came in binary`)
}

/** COPY's binary format: the row's number, then the columns. */
function* copyBinary(rows: readonly BinaryRow[], columns: readonly number[]): Iterable<Uint8Array> {
	yield copyHeader
	for (const [place, { message, values }] of rows.entries()) {
		const head = Buffer.alloc(10)
		head.writeInt16BE(columns.length + 1)
		head.writeInt32BE(4, 2)
		head.writeInt32BE(place, 6)
		yield head
		for (const column of columns) {
			const value = values.find((each) => each.column === column)
			const length = Buffer.alloc(4)
			length.writeInt32BE(value?.length ?? -1)
			yield length
			if (value) yield message.subarray(value.start, value.start + value.length)
		}
	}
	yield copyEnd
}

function textOf(bytes: Uint8Array): ValueText {
	return { length: bytes.length, write: (target, at) => target.set(bytes, at) }
}

function hexOf(bytes: Uint8Array): ValueText {
	return { length: 2 + bytes.length * 2, write: (target, at) => writeHex(bytes, target, at) }
}
