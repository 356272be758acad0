import { debeziumPublication, quoteIdentifier } from '@reprieve/contracts'
import type { Session, Sql, Transaction } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'
import { recordGap } from './gaps.ts'

/** One publication on the slot, and the kinds of change that it publishes. */
export type PublicationShape = {
	name: string
	insert: boolean
	update: boolean
	delete: boolean
	truncate: boolean
}

/**
 * What is published is a property of the publication, so there is one for each need (exactness.md 2.1): deletes of all
 * protected tables, updates of children by SET NULL / SET DEFAULT alone, inserts of partition leaves alone.
 */
export const publications = {
	deletes: { name: 'reprieve', insert: false, update: false, delete: true, truncate: true },
	relinks: { name: 'reprieve_relink', insert: false, update: true, delete: false, truncate: false },
	moves: { name: 'reprieve_move', insert: true, update: false, delete: false, truncate: false },
} as const satisfies Record<string, PublicationShape>

/**
 * Debezium's connector follows one publication, so it is the union of ours: every update and insert of every protected
 * table travels. Made and kept by {@link ensureDebeziumPublication}.
 */
export const debeziumShape = {
	name: debeziumPublication,
	insert: true,
	update: true,
	delete: true,
	truncate: true,
} as const satisfies PublicationShape

/** Names of every publication of ours. */
export const ourPublications: ReadonlySet<string> = new Set([
	...Object.values(publications).map((shape) => shape.name),
	debeziumPublication,
])

/** Names of the publications that the replication stream asks for. */
export const publicationNames: readonly string[] = Object.values(publications).map((shape) => shape.name)

/** Any constant: one process at a time changes protection in a database. Taken until the transaction's end. */
export const protectionLock = 7_236_514_202

/** Name of the replication slot of one database. */
export function slotName(databaseOid: number): string {
	return `reprieve_${databaseOid}`
}

export type EnsuredPublications = { created: string[]; repaired: string[] }

/**
 * Makes the publications (with `reprieve.canary` in the one for deletes) and puts a changed shape right, in one
 * transaction. Idempotent. The control schema must be there; the slot must not, on PostgreSQL below 18. `repaired`
 * names publications whose shape was another: what was deleted meanwhile may be absent from the stream.
 */
export async function ensurePublications(sql: Sql): Promise<EnsuredPublications> {
	const ensured = await sql.begin(async (tx) => {
		await tx`select pg_advisory_xact_lock(${protectionLock})`
		return await ensurePublicationsWithin(tx)
	})
	return ensured as EnsuredPublications
}

/** {@link ensurePublications} in a transaction that holds {@link protectionLock}. */
export async function ensurePublicationsWithin(tx: Transaction): Promise<EnsuredPublications> {
	const version = await serverVersion(tx)
	const found = await readShapes(tx)
	const ensured: EnsuredPublications = { created: [], repaired: [] }
	for (const shape of Object.values(publications)) {
		const state = found.get(shape.name)
		if (state === 'right') continue
		await tx.unsafe(publicationStatement(shape, version, state === undefined))
		ensured[state === undefined ? 'created' : 'repaired'].push(shape.name)
	}
	await publishCanary(tx)
	await recordRepair(tx, [...ensured.created, ...ensured.repaired])
	return ensured
}

/** While a publication had another shape, deletes on tables that count on it may be absent from the stream. */
export async function recordRepair(tx: Transaction, names: string[]): Promise<void> {
	if (names.length === 0) return
	const pended = await tx<{ since: string | null }[]>`
		update reprieve.protected_tables set status = 'pending', changed_xid = pg_current_xact_id()::text,
			changed_at = clock_timestamp()
		where status = 'ready' returning protected_since::text as since`
	const since = pended.flatMap((table) => table.since ?? []).sort()[0]
	if (pended.length > 0) await recordGap(tx, { reason: `publication ${names.join(', ')} had been altered`, since })
}

/** Statement that makes (or puts right) one publication. */
export function publicationStatement(shape: PublicationShape, version: number, isNew: boolean): string {
	const kinds = (['insert', 'update', 'delete', 'truncate'] as const).filter((kind) => shape[kind])
	const options = [`publish = '${kinds.join(', ')}'`, 'publish_via_partition_root = false']
	if (version >= 18) options.push('publish_generated_columns = stored')
	const name = quoteIdentifier(shape.name)
	return isNew
		? `create publication ${name} with (${options.join(', ')})`
		: `alter publication ${name} set (${options.join(', ')})`
}

/** Each of our publications that exists, and whether it still has its shape. */
export async function readShapes(sql: Session): Promise<Map<string, 'right' | 'wrong'>> {
	const rows = await sql<(PublicationShape & { viaRoot: boolean; generated: string })[]>`
		select p.pubname as name, p.pubinsert as insert, p.pubupdate as update, p.pubdelete as delete,
			p.pubtruncate as truncate, p.pubviaroot as "viaRoot", coalesce(to_jsonb(p)->>'pubgencols', 's') as generated
		from pg_publication p where p.pubname = any(${arrayLiteral([...ourPublications])}::text[])`
	const all: PublicationShape[] = [...Object.values(publications), debeziumShape]
	const shapes = new Map(all.map((shape) => [shape.name, shape]))
	return new Map(
		rows.map((row) => {
			const shape = shapes.get(row.name)
			const isRight =
				(['insert', 'update', 'delete', 'truncate'] as const).every((kind) => row[kind] === shape?.[kind]) &&
				!row.viaRoot &&
				row.generated === 's'
			return [row.name, isRight ? 'right' : 'wrong']
		}),
	)
}

/** Identity before membership: in the other order the canary's own DELETE would fail in between. */
async function publishCanary(tx: Transaction): Promise<void> {
	const [canary] = await tx<{ identity: string; isMember: boolean }[]>`
		select c.relreplident as identity, exists (
			select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
			where r.prrelid = c.oid and p.pubname = ${publications.deletes.name}) as "isMember"
		from pg_class c where c.oid = 'reprieve.canary'::regclass`
	if (canary?.identity !== 'f') await tx`alter table reprieve.canary replica identity full`
	if (!canary?.isMember) await tx`alter publication reprieve add table reprieve.canary`
}

/** Major version of the server, 15 to 18. */
export async function serverVersion(sql: Session): Promise<number> {
	const [row] = await sql<{ version: number }[]>`select current_setting('server_version_num')::int / 10000 as version`
	return row?.version ?? 0
}
