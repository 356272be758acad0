import type { Session } from '../session.ts'

/** A transaction that was running when protection changed, and still is. */
export type OlderTransaction = { pid: number | null; prepared: string | null; since: string | null }

/**
 * Transactions of this database (prepared ones too) older than a change of protection: until they end, what they
 * deleted may be missing from the stream. A snapshot counts only when its transaction began before the change, because
 * its xmin is also held back by other databases. Empty: settled.
 */
export async function readOlderTransactions(
	sql: Session,
	change: { xid: string; at: string },
): Promise<OlderTransaction[]> {
	return await sql<OlderTransaction[]>`
		with change as (select ${change.xid}::text::xid8::xid as xid, ${change.at}::text::timestamptz as at)
		select a.pid, null::text as prepared, a.xact_start::text as since
		from pg_stat_activity a, change
		where a.datid = (select oid from pg_database where datname = current_database()) and a.pid <> pg_backend_pid()
			and coalesce(a.backend_type, 'client backend') in ('client backend', 'parallel worker', 'background worker')
			and not exists (select from pg_replication_slots s where s.active_pid = a.pid)
			and (age(a.backend_xid) >= age(change.xid)
				or (age(a.backend_xmin) >= age(change.xid) and (a.xact_start is null or a.xact_start < change.at)))
		union all
		select null, p.gid, p.prepared::text from pg_prepared_xacts p, change
		where p.database = current_database() and age(p.transaction) >= age(change.xid)
		order by since`
}
