import {
	type Finding,
	formatTableName,
	parseTableName,
	type protectOutput,
	ReprieveError,
	type TableName,
	type unprotectInput,
} from '@reprieve/contracts'
import { protectedTables } from '@reprieve/control'
import { findTable, readRestorability, restorability, unprotectTable } from '@reprieve/postgres'
import { and, eq } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'

type UnprotectInput = z.infer<typeof unprotectInput>
type UnprotectOutput = z.infer<typeof protectOutput>
type Item = UnprotectOutput['tables'][number]

/**
 * Takes protection from tables, each in its own transaction, and puts their former identity back. What was archived
 * stays restorable; what is deleted from now on is a capture gap. A table that was not protected answers so.
 */
export async function unprotect(
	services: Services,
	_principal: Principal,
	input: UnprotectInput,
): Promise<UnprotectOutput> {
	const names = [...new Set(input.tables.map((text) => formatTableName(parseTableName(text))))]
	const tables: Item[] = []
	for (const name of names) tables.push(await unprotectOne(services, parseTableName(name)))
	return { tables }
}

async function unprotectOne(services: Services, name: TableName): Promise<Item> {
	const table = formatTableName(name)
	const oid = (await findTable(services.pools.owner, name))?.oid ?? (await findRecord(services, name))
	if (oid === undefined) {
		const finding = { code: 'notFound', message: `there is no table ${table}`, remedy: 'Spell it as the catalog does.' }
		return { table, restorability: restorability([finding]) }
	}
	try {
		const changes = await unprotectTable(services.pools.owner, oid)
		const states = await readRestorability(services.pools.delete, [oid], { lagBytes: services.limits.slotBytes })
		return { table, restorability: states.get(oid) ?? restorability([dropped(table)]), changes }
	} catch (error) {
		return { table, restorability: restorability([refusal(table, error)]) }
	}
}

/** A dropped table is known by its record alone. */
async function findRecord(services: Services, name: TableName): Promise<number | undefined> {
	const [record] = await services.control.db
		.select({ oid: protectedTables.oid })
		.from(protectedTables)
		.where(and(eq(protectedTables.schema, name.schema), eq(protectedTables.name, name.name)))
	return record?.oid
}

/** The finding of a table that does not exist any more. */
export function dropped(table: string): Finding {
	return { code: 'dropped', message: `${table} was dropped`, remedy: 'What was archived of it can still be restored.' }
}

const codes: Partial<Record<ReprieveError['code'], string>> = {
	NOT_FOUND: 'notProtected',
	CONFLICT: 'neededByAnother',
	UNAVAILABLE: 'lockTimeout',
}

function refusal(table: string, error: unknown): Finding {
	const code = error instanceof ReprieveError ? codes[error.code] : undefined
	if (!(error instanceof ReprieveError) || !code) throw error
	return { code, table, message: error.message, remedy: error.hint ?? 'Protect it first.' }
}
