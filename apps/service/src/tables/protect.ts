import {
	type Finding,
	formatTableName,
	parseTableName,
	type protectInput,
	type protectOutput,
} from '@reprieve/contracts'
import { acknowledgements } from '@reprieve/control'
import {
	describeTables,
	findTables,
	listChanges,
	lockTimeoutCode,
	type Protected,
	planProtection,
	protectTables,
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
 * Protects tables with their closures, in one transaction where possible, and waits at most `wait` seconds for the proof.
 * A refused table is closed with its findings and nothing of it is changed; it does not hold back the others. Idempotent:
 * called again it goes on where an earlier call was cut off.
 */
export async function protect(services: Services, principal: Principal, input: ProtectInput): Promise<ProtectOutput> {
	const names = [...new Set(input.tables.map((text) => formatTableName(parseTableName(text))))]
	if (!input.dryRun) await acknowledgePublications(services, principal, input.acknowledge ?? [])
	const outcomes = await protectAll(services, names, input)
	const isChanged = outcomes.some((outcome) => outcome.refusals.length === 0)
	if (isChanged && !input.dryRun) await finish(services, (input.wait ?? 0) * 1000 || shortWaitMs)
	return { tables: await answer(services, outcomes) }
}

/** All at once; where that is not possible, one by one, so that each refusal is its own table's. */
async function protectAll(services: Services, names: string[], input: ProtectInput): Promise<Outcome[]> {
	const found = await findTables(services.pools.owner, names.map(parseTableName))
	const oids = [...new Set(found.flatMap((table) => table?.oid ?? []))]
	const done = (await protectTogether(services, oids, input)) ?? (await protectEach(services, oids, input))
	return names.map((table, index) => {
		const oid = found[index]?.oid
		const outcome = oid === undefined ? undefined : done.get(oid)
		return { table, oid, ...(outcome ?? refusedOutcome(notFound(table))) }
	})
}

/** Undefined when PostgreSQL refuses, or when the tables cannot be locked together. */
async function protectTogether(
	services: Services,
	oids: number[],
	input: ProtectInput,
): Promise<Map<number, Protected> | undefined> {
	if (oids.length === 0) return new Map()
	try {
		const done = await protectOids(services, oids, input)
		const isHeld = done.some(({ refusals }) => refusals.some((finding) => finding.code === lockTimeoutCode))
		return oids.length > 1 && isHeld ? undefined : new Map(done.map((outcome, index) => [oids[index] ?? 0, outcome]))
	} catch (error) {
		if (isPostgresError(error)) return undefined
		throw error
	}
}

async function protectEach(services: Services, oids: number[], input: ProtectInput): Promise<Map<number, Protected>> {
	const done = new Map<number, Protected>()
	for (const oid of oids) {
		try {
			for (const outcome of await protectOids(services, [oid], input)) done.set(oid, outcome)
		} catch (error) {
			const [table] = await describeTables(services.pools.owner, [oid])
			done.set(oid, refusedOutcome(refusedByPostgres(table ? formatTableName(table) : `OID ${oid}`, error)))
		}
	}
	return done
}

async function protectOids(services: Services, oids: number[], input: ProtectInput): Promise<Protected[]> {
	const sql = services.pools.owner
	const options = { truncate: input.truncate, acknowledge: input.acknowledge }
	if (!input.dryRun) return await protectTables(sql, oids, options)
	const plan = await planProtection(sql, oids, options)
	return plan.asked.map(({ table, refusals }) => ({ refusals, changes: listChanges(plan, table.oid), limits: [] }))
}

function refusedOutcome(finding: Finding): Protected {
	return { refusals: [finding], changes: [], limits: [] }
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
	if (!isPostgresError(error)) throw error
	const { code, message } = error
	return {
		code: code === '42501' ? 'notPermitted' : 'refusedByPostgres',
		table,
		message: `PostgreSQL refused to protect ${table} (${code}): ${message}`,
		remedy: code === '42501' ? 'Give the owner role (REPRIEVE_OWNER_URL) that right.' : 'See what PostgreSQL says.',
	}
}

function isPostgresError(error: unknown): error is { code: string; message: string } {
	const { code } = error as { code?: unknown }
	return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)
}
