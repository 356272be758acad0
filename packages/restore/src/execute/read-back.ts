import { createHash } from 'node:crypto'
import { quoteIdentifier, type SourceTable } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import { keyUnique } from '../preview/key.ts'
import { keyColumns, literal, ownRows } from '../stage/columns.ts'
import type { Share } from './shares.ts'
import { writtenHere } from './write-rows.ts'

/** A table's share of a batch, which this transaction copied in. */
type Written = { restoreId: string; share: Share; live: SourceTable; uniques: Unique[] }

/** Lines that were copied in, in the list's order: quoted names of their columns, how many bytes, their SHA-256 in hex. */
export type Sent = { names: string[]; bytes: number; digest: string }

/**
 * Reads the rows back that this transaction wrote under the share's keys: they have to come out, in the list's order, as the lines that
 * went in. Where they lie in the table in that order no index has to be asked for each. Answers SQL of all of them, as they were
 * found; undefined when they come out otherwise.
 */
export async function readBack(tx: Transaction, written: Written, sent: Sent): Promise<string | undefined> {
	const columns = sent.names.join(', t.')
	const places = await placesOf(tx, written, sent.bytes)
	if (places && (await digestRows(tx, rowsBetween(written, places, columns))) === sent.digest)
		return rowsBetween(written, places, '*')
	const isSame = (await digestRows(tx, writtenRows(written, columns))) === sent.digest
	return isSame ? writtenRows(written, '*') : undefined
}

async function digestRows(tx: Transaction, rows: string): Promise<string> {
	const hash = createHash('sha256')
	const source = await tx.unsafe(`copy (${rows}) to stdout`).readable()
	for await (const lines of source) hash.update(lines as Buffer)
	return hash.digest('hex')
}

/** SQL of the rows that this transaction wrote under the share's keys, in the list's order. */
function writtenRows(written: Written, columns: string): string {
	return `select t.${columns} from reprieve.restored_shares w
		cross join lateral unnest(w.keys) with ordinality k(key, place)
		cross join lateral (${rowOf(written, 'k.key')}) t
		where ${isShare(written)} order by k.place`
}

function isShare({ restoreId, share }: Written): string {
	return `w.restore_id = ${literal(restoreId)} and w.batch = ${share.batch} and w.t = ${share.t}`
}

/** SQL of the row that this transaction wrote under a key of the list. */
function rowOf({ live, uniques }: Written, listed: string): string {
	const unique = keyUnique(live, uniques)
	const key = keyColumns(live).map(({ name, typeName }, i) => {
		return `t.${quoteIdentifier(name)} ${unique.parts[i]?.operator} (${listed}::text[])[${i + 1}]::${typeName}`
	})
	return `select t.ctid, t.* from ${ownRows(live)} t where ${key.join(' and ')} and ${writtenHere}`
}

type Places = { first: string; final: string }

/** Bytes of pages that may have to be read for each byte that was sent: batches side by side take pages in turn. */
const bytesForOne = 4
/** Of long values, which lie elsewhere, hardly a byte is in the row's own page: a row never takes more than one. */
const pagesOfRow = 4
const pageBytes = 8192

/** Where a share's first and last rows lie; undefined where so much lies between them that it is no way to the others. */
async function placesOf(tx: Transaction, written: Written, sentBytes: number): Promise<Places | undefined> {
	if (written.live.kind === 'p') return undefined
	const place = (key: string) => `(select ctid::text from (${rowOf(written, key)}) t)`
	const [row] = await tx.unsafe<{ first: string | null; final: string | null }[]>(
		`select ${place('w.keys[1]')} as first, ${place('w.keys[cardinality(w.keys)]')} as final
		from reprieve.restored_shares w where ${isShare(written)}`,
	)
	if (!row?.first || !row.final) return undefined
	const pages = pageOf(row.final) - pageOf(row.first)
	const most = Math.min((sentBytes * bytesForOne) / pageBytes, written.share.seqs.length * pagesOfRow)
	const isNear = pages >= 0 && pages <= most + 1
	return isNear ? { first: row.first, final: row.final } : undefined
}

function pageOf(place: string): number {
	return Number(/\d+/.exec(place))
}

/** SQL of the rows that this transaction wrote from one place to another, as they lie. */
function rowsBetween({ live }: Written, { first, final }: Places, columns: string): string {
	return `select t.${columns} from ${ownRows(live)} t where t.ctid >= '${first}' and t.ctid <= '${final}' and ${writtenHere}`
}
