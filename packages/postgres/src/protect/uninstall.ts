import { ReprieveError } from '@reprieve/contracts'
import type { Sql } from '../session.ts'
import { beginProtection } from './apply.ts'
import { eventTriggerNames } from './guards.ts'
import { ourPublications } from './publications.ts'
import { unprotectAll } from './unprotect.ts'

export type UninstallOptions = {
	/** End whoever reads the slot instead of refusing. Needs neither service nor vault. */
	force?: boolean
	/** Milliseconds to wait for the tables' locks. Default 5,000. */
	lockTimeoutMs?: number
}

/**
 * Removes slot, protection of every table, event triggers, publications and the schema reprieve; the vault stays. May
 * be called again after it was cut off. Throws CONFLICT while capture reads the slot, unless forced.
 */
export async function uninstall(sql: Sql, options: UninstallOptions = {}): Promise<void> {
	await sql.begin(async (tx) => {
		await refuseWhileCaptured(tx as unknown as Sql, options.force === true)
		await beginProtection(tx)
		for (const name of eventTriggerNames) await tx.unsafe(`drop event trigger if exists ${name}`)
		const [schema] = await tx<{ isThere: boolean }[]>`
			select to_regclass('reprieve.protected_tables') is not null as "isThere"`
		if (schema?.isThere) await unprotectAll(tx, options.lockTimeoutMs ?? 5_000)
		for (const name of ourPublications) await tx.unsafe(`drop publication if exists ${name}`)
		await tx.unsafe('drop schema if exists reprieve cascade')
	})
	await dropSlot(sql)
}

type Slot = { name: string; pid: number | null }

async function readSlot(sql: Sql): Promise<Slot | undefined> {
	const [slot] = await sql<Slot[]>`
		select s.slot_name as name, s.active_pid as pid from pg_replication_slots s
		where s.slot_name = 'reprieve_' || (select oid from pg_database where datname = current_database())`
	return slot
}

async function refuseWhileCaptured(sql: Sql, force: boolean): Promise<void> {
	const slot = await readSlot(sql)
	if (!slot?.pid || force) return
	throw new ReprieveError('CONFLICT', `process ${slot.pid} reads slot ${slot.name}`, {
		hint: 'Stop the service and the sidecar first, or use --force.',
	})
}

/** The slot goes after the commit: dropping it is not undone by a rollback. */
async function dropSlot(sql: Sql): Promise<void> {
	for (;;) {
		const slot = await readSlot(sql)
		if (!slot) return
		if (slot.pid !== null) await sql`select pg_terminate_backend(${slot.pid}::int, 5000)`
		else await sql`select pg_drop_replication_slot(${slot.name})`.catch(unlessGone)
	}
}

/** 42704: somebody else dropped it; 55006: a reader came back. */
function unlessGone(error: unknown): void {
	const code = (error as { code?: string }).code
	if (code !== '42704' && code !== '55006') throw error
}
