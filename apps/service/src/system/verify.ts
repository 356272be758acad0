import { parseTableName, ReprieveError, type TableName, type verifyInput, type verifyOutput } from '@reprieve/contracts'
import type { VerifiedObject } from '@reprieve/vault'
import type { z } from 'zod'
import { requireAllTables, requireTables } from '../access/grants.ts'
import { requireKnownVault } from '../archive/known.ts'
import type { Principal, Services } from '../context.ts'

type Verified = z.infer<typeof verifyOutput>

/** Reads every object of one table's archive, or of the whole vault, and compares it with its digest. */
export async function verifyVault(
	services: Services,
	principal: Principal,
	input: z.infer<typeof verifyInput>,
): Promise<Verified> {
	const names = await namesToVerify(services, principal, input.table)
	const result: Verified = { objects: 0, bytes: 0, bad: [] }
	for (const name of names) await collect(services.vault.table(name).verify(), result)
	if (input.table === undefined) await collect(services.vault.transactions.verify(), result)
	return result
}

async function namesToVerify(services: Services, principal: Principal, table?: string): Promise<TableName[]> {
	if (table === undefined) requireAllTables(principal)
	else requireTables(principal, [table])
	await requireKnownVault(services)
	const archived = await services.vault.tables()
	if (table === undefined) return archived
	const name = parseTableName(table)
	if (archived.some((other) => other.schema === name.schema && other.name === name.name)) return [name]
	throw new ReprieveError('NOT_FOUND', `${table} has no archive`)
}

async function collect(objects: AsyncIterable<VerifiedObject>, result: Verified): Promise<void> {
	for await (const { object, bytes, problem } of objects) {
		result.objects++
		result.bytes += bytes
		if (problem) result.bad.push({ object, message: problem })
	}
}
