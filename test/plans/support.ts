import type { Plan, PolicyInput } from '@reprieve/contracts'
import { policy as policySchema } from '@reprieve/contracts'
import { type PlanBody, plans } from '@reprieve/control'
import { eq } from 'drizzle-orm'
import { createPlan } from '../../apps/service/src/plans/create.ts'
import { listPlanRows } from '../../apps/service/src/plans/rows.ts'
import { scanRows } from '../../apps/service/src/plans/scan-rows.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { admin, type TestServices, type TestServicesOptions, testServices } from '../support/services.ts'

export type Ground = { database: TestDatabase; services: TestServices } & AsyncDisposable

/** A fresh database with services on it, in the suite's PostgreSQL 18 or in `cluster`. */
export async function openGround(options: TestServicesOptions = {}, cluster?: { url: string }): Promise<Ground> {
	return await openGroundIn(await freshDatabase(cluster), options)
}

/** Services on a database, which is dropped with them. */
export async function openGroundIn(database: TestDatabase, options: TestServicesOptions = {}): Promise<Ground> {
	const services = await testServices(database, options)
	return {
		database,
		services,
		async [Symbol.asyncDispose]() {
			await services[Symbol.asyncDispose]()
			await database[Symbol.asyncDispose]()
		},
	}
}

/** Makes a plan as a caller does, defaults filled by the contract. */
export async function plan(services: TestServices, policy: PolicyInput): Promise<Plan> {
	return await createPlan(services, admin, { policy: policySchema.parse(policy) })
}

/** Every planned row of a plan. */
export async function rowsOf(services: TestServices, id: string) {
	const items = []
	for (let cursor: string | undefined, first = true; first || cursor; first = false) {
		const page = await listPlanRows(services, admin, { id, cursor, limit: 1000 })
		items.push(...page.items)
		cursor = page.next
	}
	return items
}

/** Sorted values of one key column of the rows that a policy plans in its own table. */
export async function plannedKeys(services: TestServices, policy: PolicyInput, column = 'id'): Promise<unknown[]> {
	const made = await plan(services, policy)
	const rows = await rowsOf(services, made.id)
	const { discardPlan } = await import('../../apps/service/src/plans/discard.ts')
	await discardPlan(services, admin, { id: made.id })
	return rows
		.filter((row) => row.table === made.table)
		.map((row) => row.key[column])
		.sort(byValue)
}

function byValue(a: unknown, b: unknown): number {
	return typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1
}

/** Unit of every planned row, as `table:key` -> unit. */
export async function unitsOf(
	services: TestServices,
	id: string,
): Promise<Map<string, { unit: number; action: string }>> {
	const units = new Map<string, { unit: number; action: string }>()
	for (const table of (await bodyOf(services, id)).tables) {
		const keys = table.key.map((_, index) => `k${index + 1}::text`).join(` || ',' || `)
		const rows = await services.pools.plan.unsafe<{ key: string; unit: string }[]>(
			`select ${keys} as key, unit::text as unit from ${scanRows(table)} p`,
		)
		for (const row of rows) units.set(`${table.table}:${row.key}`, { unit: Number(row.unit), action: table.action })
	}
	return units
}

export async function bodyOf(services: TestServices, id: string): Promise<PlanBody> {
	const [row] = await services.control.db.select().from(plans).where(eq(plans.id, id))
	if (!row?.body) throw new Error(`plan ${id} has no body`)
	return row.body
}
