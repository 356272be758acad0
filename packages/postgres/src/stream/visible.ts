import type { Session } from '../session.ts'

/**
 * Whether what a transaction of the log did can be seen by a statement that begins now. The log has a commit a moment
 * before everybody else (src/backend/access/transam/xact.c, CommitTransaction), for as long as it waits for a synchronous
 * standby. `xid` is the log's: 32 bits, of which the server knows the rest.
 */
export async function isVisible(sql: Session, xid: number): Promise<boolean> {
	const [row] = await sql<{ seen: boolean }[]>`
		select case when behind between 1 and 2147483647
			then pg_visible_in_snapshot((next - behind)::text::xid8, now) else false end as seen
		from (select now, next, (next - ${xid}::int8) & 4294967295 as behind from (
			select now, pg_snapshot_xmax(now)::text::int8 as next from pg_current_snapshot() now) a) b`
	return row?.seen === true
}
