import type { Plan } from '@reprieve/contracts'
import { plans } from '@reprieve/control'
import { and, eq, inArray } from 'drizzle-orm'
import type { Principal, Services } from '../context.ts'
import { dropPlanRows } from './drop-rows.ts'
import { isWorkedAt } from './liveness.ts'
import { readPlan, showPlan } from './show.ts'

/** Statuses of a plan whose making was cut off, before and after the sweep found it. */
const unmade = ['planning', 'failed'] as const

/**
 * The plan that an earlier try of the same call made. One that nobody works at any more goes, so that it can be made again;
 * undefined then, and when there is none.
 */
export async function takeUpPlan(services: Services, principal: Principal, id: string): Promise<Plan | undefined> {
	const { db } = services.control
	const [found] = await db.select({ status: plans.status }).from(plans).where(eq(plans.id, id))
	if (!found) return undefined
	const isUnmade = unmade.some((status) => status === found.status)
	if (!isUnmade || (await isWorkedAt(services, id)))
		return await showPlan(services, db, await readPlan(db, principal, id))
	services.log.warn({ plan: id }, 'a plan whose making was cut off is made again')
	await dropPlanRows(services.pools.plan, id)
	await db.delete(plans).where(and(eq(plans.id, id), inArray(plans.status, [...unmade])))
	return undefined
}
