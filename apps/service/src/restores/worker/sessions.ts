import type { Transaction } from '@reprieve/postgres'
import type { Services } from '../../context.ts'

const key = `hashtextextended('reprieve.restore ' || $1::text, 0)`

/** Tells others until the transaction ends that its session is at a batch of the restore. */
export async function showSession(tx: Transaction, restoreId: string): Promise<void> {
	await tx.unsafe(`select pg_advisory_xact_lock_shared(${key})`, [restoreId])
}

/**
 * Ends the sessions of whoever held the restore before: their batches cannot commit any more, and while such a process stands
 * still within a COPY no time-out of the server's ends what keeps the rows' keys from everybody.
 */
export async function endFormerSessions({ pools, log }: Services, restoreId: string): Promise<void> {
	try {
		await pools.restore.unsafe(
			`select pg_terminate_backend(l.pid) from pg_locks l, ${key} k
			where l.locktype = 'advisory' and l.objsubid = 1 and l.pid <> pg_backend_pid()
				and l.database = (select oid from pg_database where datname = current_database())
				and (l.classid::int8 << 32) | l.objid::int8 = k`,
			[restoreId],
		)
	} catch (err) {
		log.warn({ err, restore: restoreId }, 'sessions of the former worker could not be ended')
	}
}
