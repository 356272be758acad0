import { ReprieveError } from '@reprieve/contracts'
import { type PlanBody, plans } from '@reprieve/control'
import { eq } from 'drizzle-orm'
import type { Services } from '../context.ts'
import { type Consented, digestRows, hashPlan, type RowsDigest } from './hash.ts'

/**
 * Compares a plan with the hash that was consented to, and its per-plan tables with its count and digest, when a run
 * starts and resumes. Throws PLAN_DRIFTED.
 */
export async function verifyPlanRows(
	services: Pick<Services, 'pools'>,
	plan: Consented & { id: string; hash: string },
): Promise<void> {
	if (hashPlan(plan) !== plan.hash) {
		throw new ReprieveError('PLAN_DRIFTED', `plan ${plan.id} is not what its hash ${plan.hash} was made of`, {
			hint: 'The plan was changed behind its back. Make a new plan.',
			planId: plan.id,
		})
	}
	const planned = plan.body?.tables.reduce((sum, table) => sum + table.rows, 0) ?? 0
	const found = plan.body && (await digestCommitted(services, plan.body).catch(undefinedWithoutTable))
	if (found && found.rows === planned && found.hash === plan.rowsHash) return
	throw new ReprieveError(
		'PLAN_DRIFTED',
		`plan ${plan.id} holds ${found?.rows ?? 0} rows of digest ${found?.hash.slice(0, 12) ?? 'none'}, planned were ${planned} of ${plan.rowsHash?.slice(0, 12) ?? 'none'}`,
		{ hint: 'The rows of the plan were changed or removed. Make a new plan.', planId: plan.id },
	)
}

async function digestCommitted({ pools }: Pick<Services, 'pools'>, { tables }: PlanBody): Promise<RowsDigest> {
	return (await pools.plan.begin('read only', (tx) => digestRows(tx, tables))) as RowsDigest
}

/** As {@link verifyPlanRows}, by id. Throws NOT_FOUND too. */
export async function checkPlan(services: Services, id: string): Promise<void> {
	const [plan] = await services.control.db.select().from(plans).where(eq(plans.id, id))
	if (!plan) throw new ReprieveError('NOT_FOUND', `there is no plan ${id}`)
	await verifyPlanRows(services, plan)
}

function undefinedWithoutTable(error: { code?: string }): undefined {
	if (error.code !== '42P01') throw error
}
