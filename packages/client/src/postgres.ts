import { messagePrefix } from '@reprieve/contracts'
import type { Sql, TransactionSql } from 'postgres'

/** Who does this and why; kept with every row that the transaction deletes, shown as the application's own claim. */
export type Claim = { actor: string; reason: string }

/** A Drizzle database or transaction over any PostgreSQL driver. */
export type DrizzleDatabase<Tx extends DrizzleTransaction> = {
	transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}
export type DrizzleTransaction = { execute(query: string): PromiseLike<unknown> }

/**
 * Runs `work` in a transaction that says who deletes and why. Given a transaction that is already open, the claim is
 * made in it, at its top level; given a savepoint, the claim lasts exactly as long as what the savepoint holds.
 */
export function tagged<T>(
	sql: Sql | TransactionSql,
	claim: Claim,
	work: (sql: TransactionSql) => Promise<T>,
): Promise<T>
export function tagged<T, Tx extends DrizzleTransaction>(
	db: DrizzleDatabase<Tx>,
	claim: Claim,
	work: (tx: Tx) => Promise<T>,
): Promise<T>
export async function tagged<T>(database: unknown, claim: Claim, work: (tx: never) => Promise<T>): Promise<T> {
	const statement = emit(claim)
	if (isDrizzle(database)) return inDrizzle(database, statement, work as (tx: DrizzleTransaction) => Promise<T>)
	const sql = database as Sql | TransactionSql
	const tagAndWork = async (tx: TransactionSql) => {
		await tx.unsafe(statement)
		return (work as unknown as (tx: TransactionSql) => Promise<T>)(tx)
	}
	return 'savepoint' in sql ? tagAndWork(sql) : ((await sql.begin(tagAndWork)) as T)
}

async function inDrizzle<T>(
	database: OpenDrizzle,
	statement: string,
	work: (tx: DrizzleTransaction) => Promise<T>,
): Promise<T> {
	const tagAndWork = async (tx: DrizzleTransaction) => {
		await tx.execute(statement)
		return work(tx)
	}
	if (typeof database.rollback !== 'function') return database.transaction(tagAndWork)
	return tagAndWork(database)
}

type OpenDrizzle = DrizzleDatabase<DrizzleTransaction> & DrizzleTransaction & { rollback?: unknown }

function isDrizzle(database: unknown): database is OpenDrizzle {
	return typeof (database as { transaction?: unknown }).transaction === 'function'
}

/** The body travels as hex digits: no quoting rule of any session setting can change it. */
function emit(claim: Claim): string {
	const body = new TextEncoder().encode(JSON.stringify({ actor: claim.actor, reason: claim.reason }))
	const hex = Array.from(body, (byte) => byte.toString(16).padStart(2, '0')).join('')
	const content = `pg_catalog.convert_from(pg_catalog.decode('${hex}', 'hex'), 'UTF8')`
	return `select pg_catalog.pg_logical_emit_message(true, '${messagePrefix.claim}', ${content})`
}
