import { type Finding, quoteTable, type TableName } from '@reprieve/contracts'
import type { Transaction } from '../session.ts'

/** Shorter than deadlock_timeout's default of 1 s, so that nobody who waits for us is chosen as a deadlock's victim. */
const attemptMs = 600
const pauseMs = 50

/**
 * Takes ACCESS EXCLUSIVE on all the tables or on none, in short attempts that let the application pass in between.
 * Answers false when `withinMs` are over.
 */
export async function lockTables(tx: Transaction, tables: TableName[], withinMs: number): Promise<boolean> {
	if (tables.length === 0) return true
	const names = tables.map((table) => `only ${quoteTable(table)}`).join(', ')
	const deadline = performance.now() + withinMs
	for (;;) {
		const isLocked = await tryLock(tx, names, Math.max(1, Math.min(attemptMs, deadline - performance.now())))
		if (isLocked) return true
		if (performance.now() + pauseMs > deadline) return false
		await new Promise((resolve) => setTimeout(resolve, pauseMs))
	}
}

/** Code of the finding that tables could not be locked in time. */
export const lockTimeoutCode = 'lockTimeout'

/** What `lockTables` failing means to the operator. */
export function lockFinding(table: string, withinMs: number): Finding {
	return {
		code: lockTimeoutCode,
		message: `${table} and what it reaches could not be locked within ${withinMs} ms`,
		remedy: 'Try again when no long transaction uses these tables.',
	}
}

async function tryLock(tx: Transaction, names: string, withinMs: number): Promise<boolean> {
	try {
		await tx.savepoint(async (inner) => {
			await inner`select set_config('statement_timeout', ${String(withinMs)}, true)`
			await inner.unsafe(`lock table ${names} in access exclusive mode`)
			await inner`select set_config('statement_timeout', '0', true)`
		})
		return true
	} catch (error) {
		const code = (error as { code?: string }).code
		if (code === '57014' || code === '55P03' || code === '40P01') return false
		throw error
	}
}
