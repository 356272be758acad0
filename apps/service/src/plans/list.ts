import type { PlanStatus, planListInput, planListOutput } from '@reprieve/contracts'
import { plans } from '@reprieve/control'
import { and, desc, eq, gt, inArray, lte, or, type SQL, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'
import { usableStatuses } from './lifecycle.ts'
import { showPlans } from './show.ts'

/** Plans of tables that the principal may see, newest first. */
export async function listPlans(
	services: Services,
	principal: Principal,
	input: z.infer<typeof planListInput>,
): Promise<z.infer<typeof planListOutput>> {
	const limit = input.limit ?? 100
	const [at, id] = readCursor(input.cursor, /^[\d:.TZ-]{20,40} [\w-]{1,100}$/)?.split(' ') ?? []
	const rows = await services.control.db
		.select()
		.from(plans)
		.where(
			and(
				input.status ? hasStatus(input.status, services.clock.now().toISOString()) : undefined,
				principal.tables ? touchesOnly(principal.tables) : undefined,
				at ? sql`(${plans.createdAt}, ${plans.id}) < (${at}::timestamptz, ${id})` : undefined,
			),
		)
		.orderBy(desc(plans.createdAt), desc(plans.id))
		.limit(limit + 1)
		.prepare('plans')
		.execute()
	const page = toPage(rows, limit, (plan) => `${plan.createdAt} ${plan.id}`)
	return { ...page, items: await showPlans(services, services.control.db, page.items) }
}

/** As when one plan is read: its dependents' tables must be granted too. */
function touchesOnly(tables: string[]): SQL | undefined {
	const granted = sql`${JSON.stringify(tables)}::text::jsonb`
	const other = sql`select from jsonb_array_elements(${plans.dependents}) d where not ${granted} @> (d -> 'table')`
	return and(inArray(plans.table, tables), sql`not exists (${other})`)
}

/** Expiry is a matter of time, not of a stored status. */
function hasStatus(status: PlanStatus, now: string): SQL | undefined {
	const isUsable = (usableStatuses as readonly PlanStatus[]).includes(status)
	if (isUsable) return and(eq(plans.status, status), gt(plans.expiresAt, now))
	if (status !== 'expired') return eq(plans.status, status)
	const lapsed = and(inArray(plans.status, [...usableStatuses]), lte(plans.expiresAt, now))
	return or(eq(plans.status, 'expired'), lapsed)
}
