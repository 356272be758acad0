import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type ChangeRows, quoteIdentifier, quoteTable, ReprieveError, type SourceTable } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { type Reference, referencing } from '../catalog/references.ts'
import type { Unique } from '../catalog/uniques.ts'
import { driftCode, mapColumns } from '../drift/map-columns.ts'
import type { Timelines } from '../selection/timelines.ts'
import { literal } from '../stage/columns.ts'
import { copyText } from '../stage/copy-text.ts'
import { partsOf } from '../stage/pieces.ts'
import { advanceSequences } from './advance-sequences.ts'
import { checkReference } from './check-references.ts'
import { mayBeBroughtBack } from './decide.ts'
import { readBack, type Sent } from './read-back.ts'
import type { BatchCounts } from './record-rows.ts'
import { markWritten, type Share } from './shares.ts'

/** A batch cannot be copied straight into its table, or not as it was archived: to be tried again through stages, which tell why. */
export class NotStraight extends Error {}

/** One table's share of a batch, and what the archive has of it. */
export type StraightWork = {
	restoreId: string
	share: Share
	live: SourceTable
	archivedName: string
	rename: Record<string, string>
	uniques: Unique[]
	timelines: Timelines
	read: AsyncIterable<ChangeRows>
	signal: AbortSignal
}

/**
 * Whether another restore has brought nothing of the share back, and no row was in its way when the list was made. What
 * came since makes the copy fail, since no two rows have one key.
 */
export async function mayGoStraight(
	tx: Transaction,
	{ restoreId, share, archivedName }: Pick<StraightWork, 'restoreId' | 'share' | 'archivedName'>,
): Promise<boolean> {
	if (!share.isMissing) return false
	const own = `select first_position as first, final_position as final from reprieve.restored_shares
		where restore_id = ${literal(restoreId)} and batch = ${share.batch} and t = ${share.t}`
	return !(await mayBeBroughtBack(tx, { table: archivedName, own }, restoreId))
}

/**
 * Copies a share straight into its table, by PostgreSQL's own input functions, then has the rows that this transaction wrote
 * under the list's keys copied out in the list's order: the same text means the same values. `release` makes the
 * checks that were put off, `readUnchecked` says which foreign keys nobody looked at; sequences, which no rollback puts back, wait for
 * the batch's turn. Throws NotStraight when anything is not as plain as that; the caller rolls back.
 */
export async function restoreStraight(
	tx: Transaction,
	work: StraightWork,
	steps: { turn: Promise<void>; release: () => Promise<void>; readUnchecked: () => Promise<Reference[]> },
): Promise<BatchCounts> {
	const { share, restoreId } = work
	let written: string | undefined
	try {
		const sent = await copyIn(tx, work)
		await steps.release()
		work.signal.throwIfAborted()
		written = await readBack(tx, work, sent)
		if (!written) throw new NotStraight(`${work.archivedName} reads back otherwise`)
		await checkReferences(tx, work, { written, references: await steps.readUnchecked() })
	} catch (error) {
		throw isRefusal(error) ? new NotStraight((error as Error).message, { cause: error }) : error
	}
	await steps.turn
	if (!(await mayGoStraight(tx, work))) throw new NotStraight('another restore was quicker')
	await advanceSequences(tx, [{ table: work.live.oid, rows: `(${written}) s` }])
	await markWritten(tx, restoreId, share)
	const rows = share.seqs.length
	return { restored: rows, identical: 0, skipped: 0, conflicts: 0, relinked: 0, verified: rows }
}

/** The server's refusal of a value, a row or the copy itself, or what it led to; not a lost connection, a lock or a full disk. */
function isRefusal(error: unknown): boolean {
	if (error instanceof ReprieveError && ['PARENT_MISSING', 'SCHEMA_DRIFT'].includes(error.code)) return true
	const code =
		error instanceof ReprieveError ? (error.cause as { code?: string })?.code : (error as { code?: string }).code
	return /^(0A|22|23|42|54000|P0)/.test(code ?? '')
}

async function checkReferences(
	tx: Transaction,
	{ archivedName }: StraightWork,
	{ written, references }: { written: string; references: Reference[] },
): Promise<void> {
	for (const reference of references) {
		const rows = `from (select * from ${referencing(`(${written})`, reference)} w) s where true`
		await checkReference(tx, { archivedName, rows }, reference)
	}
}

async function copyIn(tx: Transaction, work: StraightWork): Promise<Sent> {
	const chunks = work.read[Symbol.asyncIterator]()
	const first = await chunks.next()
	if (first.done) throw new NotStraight('nothing was read')
	const names = columnsOf(first.value, work).map(({ to }) => quoteIdentifier(to.name))
	const sink = await tx.unsafe(`copy ${quoteTable(work.live)} (${names.join(', ')}) from stdin`).writable()
	const lines = linesOf({ ...work, read: continued(first.value, chunks) }, names)
	const hash = createHash('sha256')
	let bytes = 0
	const counted = async function* () {
		for await (const each of lines) {
			hash.update(each)
			bytes += each.length
			yield each
		}
	}
	await pipeline(Readable.from(counted(), { objectMode: false }), sink)
	return { names, bytes, digest: hash.digest('hex') }
}

async function* continued(first: ChangeRows, rest: AsyncIterator<ChangeRows>): AsyncIterable<ChangeRows> {
	yield first
	for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}

/** The columns of a chunk, which have to go into live ones of the same types. */
function columnsOf(rows: ChangeRows, { live, rename, archivedName }: StraightWork) {
	const map = mapColumns(rows.table, live, rename)
	const isDrifted = map.findings.some((finding) => finding.code === driftCode)
	if (isDrifted || map.columns.some((column) => column.retyped)) throw new NotStraight(`${archivedName} has changed`)
	return map.columns
}

async function* linesOf(work: StraightWork, names: string[]): AsyncGenerator<Buffer> {
	const { share, timelines } = work
	let next = 0
	for await (const rows of work.read) {
		work.signal.throwIfAborted()
		const columns = columnsOf(rows, work)
		const isSame = names.join() === columns.map(({ to }) => quoteIdentifier(to.name)).join()
		const at = await listedIn(rows, { share, next, timelines })
		next += at.length
		const [part, ...others] = partsOf(rows, at, columns)
		if (!isSame || others.length > 0 || (part?.long.length ?? 0) > 0) throw new NotStraight('rows of several shapes')
		const from = columns.map((column) => column.from)
		yield* copyText(rows, at, from, none)
	}
	if (next !== share.seqs.length) throw new NotStraight(`${share.seqs.length} changes listed, ${next} read in order`)
}

const none = () => []

/** Rows of a chunk that are the share's next, in its order. */
async function listedIn(
	rows: ChangeRows,
	{ share, next, timelines }: { share: Share; next: number; timelines: Timelines },
): Promise<Uint32Array> {
	const all = new Uint32Array(rows.count).map((_, row) => row)
	await timelines.learn({ rows, at: all })
	let place = next
	return all.filter((row) => {
		const isNext =
			rows.ordinal[row] === share.ordinals[place] &&
			rows.position[row] === share.positions[place] &&
			timelines.of(rows, row) === share.timelines[place]
		if (isNext) place++
		return isNext
	})
}
