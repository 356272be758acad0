import type { Transaction } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'

/** A range of the log that may hold deletes that were not archived, ending now. */
export type Gap = {
	/** formatTableName of the table (a leaf's root); absent: all tables. */
	table?: string
	reason: string
	/** Timestamp text from which deletes may be missing; absent: unknown. */
	since?: string | null
}

/** Records a gap that ends with this transaction. */
export async function recordGap(tx: Transaction, gap: Gap): Promise<void> {
	await tx`
		insert into reprieve.capture_gaps (id, lineage, "table", to_position, since, until, reason, recorded_at)
		values (gen_random_uuid()::text, ${openLineage(tx)}, ${gap.table ?? null}, pg_current_wal_insert_lsn(),
			${gap.since ?? null}::text::timestamptz, clock_timestamp(), ${gap.reason}, clock_timestamp())`
}

/** Records a gap that begins now and stays open until {@link closeGaps}. */
export async function openGap(tx: Transaction, table: string, reason: string): Promise<void> {
	await tx`
		insert into reprieve.capture_gaps (id, lineage, "table", from_position, since, reason, recorded_at)
		values (gen_random_uuid()::text, ${openLineage(tx)}, ${table}, pg_current_wal_insert_lsn(), clock_timestamp(),
			${reason}, clock_timestamp())`
}

/** Ends the open gaps of tables that are published again. */
export async function closeGaps(tx: Transaction, tables: string[]): Promise<void> {
	await tx`
		update reprieve.capture_gaps set to_position = pg_current_wal_insert_lsn(), until = clock_timestamp()
		where "table" = any(${arrayLiteral(tables)}::text[]) and until is null and to_position is null`
}

function openLineage(tx: Transaction) {
	return tx`coalesce((select l.id from reprieve.lineages l where l.closed_at is null order by l.opened_at desc limit 1), '')`
}
