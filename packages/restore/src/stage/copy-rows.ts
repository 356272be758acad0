import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type ChangeRows, ReprieveError } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { copyText, type Leading } from './copy-text.ts'
import type { Layout } from './layout.ts'

/** Rows of a chunk: what the book says of each, and the archived columns with the quoted names of the live ones. */
type Copied = { rows: ChangeRows; at: ArrayLike<number>; leading: Leading; from: number[]; names: string[] }

type Target = Layout & { archivedName: string; filled: string }

/** Copies rows into a stage's tables. */
export async function copyRows(tx: Transaction, stage: Target, copied: Copied): Promise<void> {
	const { rows, at, leading, from, names } = copied
	const book = Object.values(stage.book)
	if (!stage.apart) {
		const targets = [...book, ...names].join(', ')
		await copyInto(tx, `copy ${stage.bookTable} (${targets}) from stdin`, copyText(rows, at, from, leading), stage)
		return
	}
	const { table, place } = stage.apart
	await copyInto(tx, `copy ${table} (${names.join(', ')}) from stdin`, copyText(rows, at, from, none), stage)
	const places = await newPlaces(tx, table, stage.filled)
	if (places.length !== at.length) {
		throw new ReprieveError('INTERNAL', `${stage.archivedName}: ${at.length} rows copied, ${places.length} found`)
	}
	stage.filled = places.at(-1) ?? stage.filled
	const byRow = new Map(Array.from(at, (row, i) => [row, places[i] as string]))
	const entries = copyText(rows, at, [], (row) => [...leading(row), byRow.get(row) as string])
	await copyInto(tx, `copy ${stage.bookTable} (${[...book, place].join(', ')}) from stdin`, entries, stage)
}

const none: Leading = () => []

/**
 * Places of the rows that the newest COPY added, in its order: into a heap made in the same transaction every row goes
 * behind all others, since free space of earlier pages is not looked for.
 */
async function newPlaces(tx: Transaction, table: string, filled: string): Promise<string[]> {
	const rows = await tx.unsafe<{ place: string }[]>(
		`select ctid::text as place from ${table} where ctid > $1::text::tid order by ctid`,
		[filled],
	)
	return rows.map((row) => row.place)
}

/** Runs a COPY FROM STDIN inside the transaction. */
export async function copyInto(
	tx: Transaction,
	command: string,
	lines: Iterable<Buffer>,
	stage: { archivedName: string },
): Promise<void> {
	try {
		const sink = await tx.unsafe(command).writable()
		await pipeline(Readable.from(lines, { objectMode: false }), sink)
	} catch (error) {
		throw refusal(stage, error)
	}
}

/** The server's refusal of a value as the error that says what to do; any other error as it is. */
export function refusal(stage: { archivedName: string }, error: unknown): unknown {
	const { code = '', where = '', message } = error as { code?: string; where?: string; message: string }
	if (!/^(22|23|54000)/.test(code)) return error
	return new ReprieveError('SCHEMA_DRIFT', `${stage.archivedName}: ${message} (${where})`, {
		hint: 'The live column refuses the archived value: widen the column, or map it elsewhere with rename.',
		cause: error,
	})
}
