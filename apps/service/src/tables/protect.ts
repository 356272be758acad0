import {
	type Finding,
	formatTableName,
	parseTableName,
	type protectInput,
	type protectOutput,
	type TableName,
} from '@reprieve/contracts'
import { acknowledgements } from '@reprieve/control'
import {
	findTable,
	listChanges,
	type Protected,
	planProtection,
	protectTable,
	readRestorability,
	restorability,
} from '@reprieve/postgres'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { finish } from './finish.ts'

type ProtectInput = z.infer<typeof protectInput>
type ProtectOutput = z.infer<typeof protectOutput>
type Outcome = Protected & { table: string; oid: number | undefined }

/** Without `wait` the proof still gets this long: it takes well under a second when capture streams. */
const shortWaitMs = 2_000

/**
 * Protects tables with their closures, each in its own transaction, and waits at most `wait` seconds for the proof. A
 * refused table is closed with its findings and nothing of it is changed; it does not hold back the others. Idempotent:
 * called again it goes on where an earlier call was cut off.
 */
export async function protect(services: Services, principal: Principal, input: ProtectInput): Promise<ProtectOutput> {
	const names = [...new Set(input.tables.map((text) => formatTableName(parseTableName(text))))]
	if (!input.dryRun) await acknowledgePublications(services, principal, input.acknowledge ?? [])
	const outcomes: Outcome[] = []
	for (const name of names) outcomes.push(await protectOne(services, parseTableName(name), input))
	const isChanged = outcomes.some((outcome) => outcome.refusals.length === 0)
	if (isChanged && !input.dryRun) await finish(services, (input.wait ?? 0) * 1000 || shortWaitMs)
	return { tables: await answer(services, outcomes) }
}

async function protectOne(services: Services, name: TableName, input: ProtectInput): Promise<Outcome> {
	const sql = services.pools.owner
	const found = await findTable(sql, name)
	const base = { table: formatTableName(name), oid: found?.oid, changes: [], limits: [] }
	if (!found) return { ...base, refusals: [notFound(base.table)] }
	const options = { truncate: input.truncate, acknowledge: input.acknowledge }
	try {
		if (!input.dryRun) return { ...base, ...(await protectTable(sql, found.oid, options)) }
		const plan = await planProtection(sql, found.oid, options)
		return { ...base, refusals: plan.refusals, changes: listChanges(plan) }
	} catch (error) {
		return { ...base, refusals: [refusedByPostgres(base.table, error)] }
	}
}

async function answer(services: Services, outcomes: Outcome[]): Promise<ProtectOutput['tables']> {
	const oids = outcomes.filter((outcome) => outcome.refusals.length === 0).flatMap((outcome) => outcome.oid ?? [])
	const states = await readRestorability(services.pools.delete, oids, { lagBytes: services.limits.slotBytes })
	return outcomes.map(({ table, oid, refusals, changes, limits }) => ({
		table,
		restorability:
			refusals.length > 0 ? restorability(refusals) : (states.get(oid ?? 0) ?? restorability([notFound(table)])),
		changes: [...changes, ...limits.map((limit) => `-- ${limit}`)],
	}))
}

/** Publications are the database's, not a table's: who accepted one, and when, is kept apart. */
async function acknowledgePublications(services: Services, principal: Principal, codes: string[]): Promise<void> {
	const rows = codes
		.filter((code) => code.startsWith('forAllTables:'))
		.map((code) => ({ code, principal: principal.id, at: services.clock.now().toISOString() }))
	if (rows.length > 0) await services.control.db.insert(acknowledgements).values(rows).onConflictDoNothing()
}

function notFound(table: string): Finding {
	return { code: 'notFound', message: `there is no table ${table}`, remedy: 'Spell it as the catalog does.' }
}

/** PostgreSQL's refusal of one table is that table's finding; anything else is an error of ours. */
function refusedByPostgres(table: string, error: unknown): Finding {
	const { code, message } = error as { code?: unknown; message?: string }
	if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) throw error
	return {
		code: code === '42501' ? 'notPermitted' : 'refusedByPostgres',
		table,
		message: `PostgreSQL refused to protect ${table} (${code}): ${message}`,
		remedy: code === '42501' ? 'Give the owner role (REPRIEVE_OWNER_URL) that right.' : 'See what PostgreSQL says.',
	}
}
