import type { Policy, Run } from '@reprieve/contracts'
import { plans, runs } from '@reprieve/control'
import { and, desc, eq, notInArray, sql } from 'drizzle-orm'
import { isGranted } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { finalStatuses } from '../runs/lifecycle.ts'
import { toRun } from '../runs/show.ts'

/** The run of the same policy that is not over, if there is one that the principal may see. */
export async function findGoingRun(services: Services, principal: Principal, policy: Policy): Promise<Run | undefined> {
	const [found] = await services.control.db
		.select({ run: runs })
		.from(runs)
		.innerJoin(plans, eq(plans.id, runs.planId))
		.where(and(notInArray(runs.status, [...finalStatuses]), sql`${plans.policy} = ${JSON.stringify(policy)}::jsonb`))
		.orderBy(desc(runs.createdAt))
		.limit(1)
	return found && isGranted(principal, found.run.table) ? toRun(found.run) : undefined
}
