import { parseLsn, quoteIdentifier, ReprieveError } from '@reprieve/contracts'
import type { Session } from '../session.ts'

/** A replication slot as the server has it. */
export type SlotState = {
	name: string
	plugin: string
	/** The server may have forgotten everything before this. */
	confirmed: bigint
	walStatus: string
	/** Process that streams from it. */
	activePid: number | null
	temporary: boolean
	/** Whether standbys may keep a copy of it; null before PostgreSQL 17. */
	failover: boolean | null
	/** Whether it is such a copy: on a primary, one that came along with a promotion. */
	synced: boolean
}

/**
 * Reads a slot of this database; undefined when there is none. Throws CONFLICT when the name is another's, and UNAVAILABLE
 * while it is being made: it has no place in the log yet.
 */
export async function readSlot(sql: Session, name: string): Promise<SlotState | undefined> {
	const [row] = await sql<(Omit<SlotState, 'confirmed'> & { confirmed: string | null; ours: boolean })[]>`
		select slot_name as name, plugin, confirmed_flush_lsn::text as confirmed, wal_status as "walStatus",
			active_pid as "activePid", temporary, database = pg_catalog.current_database() as ours,
			(pg_catalog.to_jsonb(s) operator(pg_catalog.->>) 'failover')::bool as failover,
			coalesce((pg_catalog.to_jsonb(s) operator(pg_catalog.->>) 'synced')::bool, false) as synced
		from pg_catalog.pg_replication_slots s where slot_name = ${name}`
	if (!row) return undefined
	if (!row.ours || row.plugin !== 'pgoutput' || row.temporary) {
		throw new ReprieveError(
			'CONFLICT',
			`replication slot ${name} exists, but is not a durable pgoutput slot of this database`,
			{
				hint: `Drop or rename the slot ${name}.`,
			},
		)
	}
	if (row.confirmed === null) throw unfinished(row)
	return { ...row, confirmed: parseLsn(row.confirmed) }
}

/** A slot's making waits for every transaction with an id that runs, and goes on in the server when its client is killed. */
function unfinished({ name, activePid }: Pick<SlotState, 'name' | 'activePid'>): ReprieveError {
	return new ReprieveError(
		'UNAVAILABLE',
		`replication slot ${name} is still being made by server process ${activePid}`,
		{
			hint: 'Wait: PostgreSQL makes it when the transactions that run now have ended; end those that last too long.',
			retryable: true,
		},
	)
}

/** Makes the slot, one that standbys may keep a copy of where the server can; its publications must exist already. Answers where it begins. */
export async function createSlot(sql: Session, name: string): Promise<bigint> {
	const [server] = await sql<{ version: number }[]>`
		select pg_catalog.current_setting('server_version_num')::int4 as version`
	const failover = (server?.version ?? 0) >= 170_000 ? sql`, failover => true` : sql``
	const [row] = await sql<{ lsn: string }[]>`
		select lsn::text as lsn from pg_catalog.pg_create_logical_replication_slot(${name}, 'pgoutput' ${failover})`
	return parseLsn(row?.lsn ?? '0/0')
}

/** Drops a slot that nobody streams from. */
export async function dropSlot(sql: Session, name: string): Promise<void> {
	await sql`select pg_catalog.pg_drop_replication_slot(${name})`
}

/** What names one history of one database. */
export type DatabaseIdentity = { systemIdentifier: string; databaseOid: number; database: string; timeline: number }

/** Reads the identity through an ordinary session. Throws UNAVAILABLE on a standby. */
export async function readIdentity(sql: Session): Promise<DatabaseIdentity> {
	const [row] = await sql<(DatabaseIdentity & { standby: boolean })[]>`
		select s.system_identifier::text as "systemIdentifier", d.oid::int8::float8 as "databaseOid", d.datname as database,
			('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int4 as timeline,
			pg_catalog.pg_is_in_recovery() as standby
		from pg_catalog.pg_control_system() s, pg_catalog.pg_database d where d.datname = pg_catalog.current_database()`
	if (!row || row.standby)
		throw new ReprieveError('UNAVAILABLE', 'the database is a standby; capture follows a primary')
	return { ...row, databaseOid: Number(row.databaseOid) }
}

/** START_REPLICATION for our publications: whole transactions, logical messages, values as text or in binary. */
export function startCommand(slot: string, publications: readonly string[], isBinary: boolean): string {
	const options = isBinary ? ", binary 'true'" : ''
	const names = publications.map((name) => quoteIdentifier(name)).join(',')
	return `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL 0/0 (proto_version '1', messages 'true', publication_names '${names.replaceAll("'", "''")}'${options})`
}
