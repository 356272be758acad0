import { quoteTable, ReprieveError, type SourceTable, type Where } from '@reprieve/contracts'
import type { Session } from '../session.ts'
import { type CompiledLeaf, compileWhere } from './compile.ts'

/**
 * Asks the server whether every value of a predicate casts to its column's type and every operator exists. Throws
 * INVALID naming column and value. Reads no rows. Not inside a transaction: a refused cast would abort it.
 */
export async function checkWhere(sql: Session, where: Where, table: SourceTable): Promise<void> {
	const { leaves } = compileWhere(where, table, 't')
	for (const leaf of leaves) await checkValues(sql, leaf)
	await checkOperators(sql, where, table)
}

async function checkValues(sql: Session, leaf: CompiledLeaf): Promise<void> {
	const type = leaf.values[0]?.expression
	if (type === undefined) return
	const values = leaf.values.map(({ value }) => value)
	if (await castsAll(sql, values, type)) return
	for (const value of values) {
		const failure = await castFailure(sql, value, type)
		if (failure !== undefined) throw refusedValue(leaf.column, type, value, failure)
	}
}

async function castsAll(sql: Session, values: string[], type: string): Promise<boolean> {
	const list = values.map((_, index) => `($${index + 1}::text::${type})::text`).join(' || ')
	try {
		await sql.unsafe(`select ${list}`, values)
		return true
	} catch (error) {
		if (isValueRefusal(error)) return false
		throw error
	}
}

async function castFailure(sql: Session, value: string, type: string): Promise<string | undefined> {
	try {
		await sql.unsafe(`select ($1::text::${type})::text`, [value])
		return undefined
	} catch (error) {
		if (isValueRefusal(error)) return (error as Error).message
		throw error
	}
}

async function checkOperators(sql: Session, where: Where, table: SourceTable): Promise<void> {
	const { text, params } = compileWhere(where, table, 't')
	try {
		await sql.unsafe(`select from ${quoteTable(table)} t where ${text} limit 0`, params)
	} catch (error) {
		if (!isRefusal(error)) throw error
		throw new ReprieveError('INVALID', `the predicate does not fit the columns: ${(error as Error).message}`, {
			hint: 'Use an operator that the column type has.',
			cause: error,
		})
	}
}

function refusedValue(column: string, type: string, value: string, failure: string): ReprieveError {
	const shown = value.length > 100 ? `${value.slice(0, 100)}...` : value
	return new ReprieveError('INVALID', `"${shown}" is not a value of column "${column}" (${type}): ${failure}`, {
		hint: "Write the value as PostgreSQL's text of the column's type.",
	})
}

/** Whatever else the input function of a type says about a text (tsvector: syntax error; regclass: no such table) but a missing right. */
function isValueRefusal(error: unknown): boolean {
	const { code } = error as { code?: unknown }
	return typeof code === 'string' && /^(22|23|3F|42|54|0A)/.test(code) && code !== '42501'
}

/** Errors that the request's own values or types bring: data exceptions, domain checks, no such cast or operator. */
function isRefusal(error: unknown): boolean {
	const code = (error as { code?: unknown }).code
	return (
		typeof code === 'string' &&
		(code.startsWith('22') ||
			['23514', '23502', '42846', '42883', '42725', '42804', '42P22', '42P38', '0A000'].includes(code))
	)
}
