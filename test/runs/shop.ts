import { type Policy, parseTableName } from '@reprieve/contracts'
import { ensurePublications, findTable, openStream, protectTable, publicationNames } from '@reprieve/postgres'
import { createPlan } from '../../apps/service/src/plans/create.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { admin, type TestServices, type TestServicesOptions, testServices } from '../support/services.ts'

/** A database whose gate is open, without an archive: receipts are written by {@link Shop.archive}. */
export type Shop = AsyncDisposable & {
	database: TestDatabase
	services: TestServices
	protect(table: string, acknowledge?: string[]): Promise<void>
	/** Stores a plan of a policy; answers its id. */
	plan(policy: Policy): Promise<string>
	/** Writes the receipts of every exposed batch, as the archive would. Answers how many. */
	archive(): Promise<number>
}

/** Opens a shop with tables made by `schema`, in the suite's cluster or one of its own. */
export async function openShop(
	schema: string,
	options?: TestServicesOptions,
	cluster?: { url: string },
): Promise<Shop> {
	const database = await freshDatabase(cluster)
	const services = await testServices(database, options)
	await database.sql.begin((tx) => tx.unsafe(`set local search_path = public; ${schema}`).simple())
	const stream = await openGate(database, services.lineageId)
	return {
		database,
		services,
		protect: (table, acknowledge = []) => protect(database, table, acknowledge),
		plan: async (policy) => (await createPlan(services, admin, { policy })).id,
		archive: () => archive(services),
		async [Symbol.asyncDispose]() {
			await stream.close()
			await services[Symbol.asyncDispose]()
			await database[Symbol.asyncDispose]()
		},
	}
}

async function openGate(database: TestDatabase, lineage: string): Promise<{ close(): Promise<void> }> {
	const { sql } = database
	await ensurePublications(sql)
	const [row] = await sql<{ slot: string }[]>`
		select 'reprieve_' || oid as slot from pg_database where datname = current_database()`
	// Not from within a scan: PostgreSQL 18 then loses track of the scan's buffer when slots are made at the same time.
	await sql`select pg_create_logical_replication_slot(${row?.slot ?? ''}, 'pgoutput')`
	await sql`insert into reprieve.capture_state (id, lineage, state, heartbeat_at) values (1, ${lineage}, 'streaming', 'infinity')`
	return await openStream({
		url: database.url,
		slot: row?.slot ?? '',
		publications: publicationNames,
		onFrame: () => {},
	})
}

async function protect({ sql }: TestDatabase, table: string, acknowledge: string[]): Promise<void> {
	const found = await findTable(sql, parseTableName(table))
	const { refusals } = await protectTable(sql, found?.oid ?? 0, { acknowledge })
	if (refusals.length > 0) throw new Error(JSON.stringify(refusals))
	await sql`update reprieve.protected_tables set status = 'ready'`
}

async function archive(services: TestServices): Promise<number> {
	const written = await services.control.sql`
		insert into reprieve.receipts
			(lineage, timeline, position, xid, committed_at, archived_at, kind, job_id, batch, rows, sealed, collateral)
		select ${services.lineageId}, 1, '0/1'::pg_lsn + (b.batch + 1000 * (hashtext(b.run_id) & 65535)),
			b.xid::numeric % 4294967296, b.at, clock_timestamp(), 'run', b.run_id, b.batch,
			(select coalesce(jsonb_object_agg(t, jsonb_build_object(
				'deleted', coalesce((b.rows->t->>'deleted')::int, 0) + coalesce((b.collateral->t->>'deleted')::int, 0),
				'relinked', coalesce((b.rows->t->>'relinked')::int, 0) + coalesce((b.collateral->t->>'relinked')::int, 0))), '{}')
				from (select jsonb_object_keys(b.rows || b.collateral) as t) k), b.rows, b.collateral
		from reprieve.batches b
		where b.archived_at is null and not exists (
			select from reprieve.receipts r where r.job_id = b.run_id and r.batch = b.batch)`
	if (written.count > 0) await services.control.sql`select pg_notify('reprieve_receipts', '')`
	return written.count
}
