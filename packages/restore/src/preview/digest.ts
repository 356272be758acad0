import { createHash } from 'node:crypto'
import { ReprieveError } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { oldestFirst } from '../stage/columns.ts'
import { joinFate } from '../stage/fates.ts'
import type { Stage } from '../stage/open.ts'
import type { Examination } from './examine.ts'

/** Rows whose lines come as one, and how many of these are held at once. */
const blockRows = 10_000
const blocksAtOnce = 10

/**
 * Hash that a start must present: over the options, every resolved (table, timeline, position, ordinal) and, where live rows are
 * to be overwritten, their versions; it also carries the position through which the archive was looked at.
 */
export async function digest(tx: Transaction, examination: Examination): Promise<string> {
	const hash = createHash('sha256').update(canonical(examination.request))
	const names = examination.tables.map((table) => table.name).sort()
	for (const name of names) {
		const table = examination.tables.find((each) => each.name === name)
		hash.update(`\n${JSON.stringify([name, table?.drifted ?? 0])}\n`)
		const stage = table?.stage
		if (stage && stage.rows > 0) hash.update(await digestRows(tx, stage, examination.request.conflict))
	}
	return `${hash.digest('hex')}.${examination.through.toString(16)}`
}

/** The server sorts and reads again only what did not come in order, or what depends on live rows. */
async function digestRows(tx: Transaction, stage: Stage, conflict: string): Promise<Buffer> {
	const isVersioned = conflict === 'overwrite'
	const known = isVersioned ? undefined : stage.places?.digest()
	if (known) return known
	const { book } = stage
	const hash = createHash('sha256')
	const version = isVersioned
		? " || textsend(coalesce(case when f.state = 'different' then f.version end, '') || E'\\n')"
		: ''
	const places = `int4send(s.${book.timeline}) || int8send(s.${book.position}) || int8send(s.${book.ordinal})`
	const query = tx.unsafe<{ lines: Buffer }[]>(
		`select string_agg(l.line, '' order by l.place) as lines from (
			select ${places}${version} as line, row_number() over (order by ${oldestFirst(book, 's')}) - 1 as place
			from ${stage.sql} s ${joinFate(stage)}) l
		group by l.place / ${blockRows} order by l.place / ${blockRows}`,
	)
	const add = (blocks: { lines: Buffer }[]) => {
		for (const { lines } of blocks) hash.update(lines)
	}
	// A cursor takes three more round trips, which hundreds of small tables feel.
	if (stage.rows <= blockRows * blocksAtOnce) add(await query)
	else await query.cursor(blocksAtOnce, add)
	return hash.digest()
}

/** The position through which a preview looked at the archive. Throws INVALID when the text is no preview's hash. */
export function throughOf(hash: string): bigint {
	const match = /^[0-9a-f]{64}\.([0-9a-f]{1,16})$/.exec(hash)
	if (!match)
		throw new ReprieveError('INVALID', 'the hash is not one of a preview', { hint: 'Pass the hash of the preview.' })
	return BigInt(`0x${match[1]}`)
}

function canonical(value: unknown): string {
	return JSON.stringify(value, (_, part) =>
		part && typeof part === 'object' && !Array.isArray(part)
			? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
			: part,
	)
}
