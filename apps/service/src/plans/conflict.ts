import { type Policy, ReprieveError } from '@reprieve/contracts'
import type { ControlTransaction } from '@reprieve/control'
import { type PlanBody, type PlannedTable, plans, runs } from '@reprieve/control'
import { and, eq, gt, inArray, isNotNull, ne, notInArray, or } from 'drizzle-orm'
import type { Services } from '../context.ts'
import { usableStatuses } from './lifecycle.ts'
import { isPackedAsText, scanRows } from './scan-rows.ts'

type OpenPlan = { id: string; body: PlanBody; policy: Policy }

/**
 * Throws CONFLICT when a row planned here is the keeper of another open plan, or the keeper of a row planned here is
 * planned there: run one after the other, two such plans would leave neither row.
 */
export async function refuseCrossing(
	services: Services,
	tx: ControlTransaction,
	plan: { id: string; body: PlanBody },
): Promise<void> {
	for (const other of await readOpenPlans(services, tx, plan.id)) {
		const crossing = (await meets(services, plan.body, other.body)) ?? (await meets(services, other.body, plan.body))
		if (crossing === undefined) continue
		throw new ReprieveError(
			'CONFLICT',
			`plan ${other.id} keeps rows of ${crossing} for the sake of which others go, and this plan deletes them, or the reverse`,
			{ hint: `Run plan ${other.id} to its end, or discard it.`, planId: other.id },
		)
	}
}

async function readOpenPlans(services: Services, tx: ControlTransaction, id: string): Promise<OpenPlan[]> {
	const rows = await tx
		.select({ id: plans.id, body: plans.body, policy: plans.policy })
		.from(plans)
		.leftJoin(runs, eq(runs.planId, plans.id))
		.where(
			and(
				ne(plans.id, id),
				isNotNull(plans.body),
				or(
					and(inArray(plans.status, [...usableStatuses]), gt(plans.expiresAt, services.clock.now().toISOString())),
					and(eq(plans.status, 'used'), notInArray(runs.status, ['cancelled', 'succeeded', 'failed'])),
				),
			),
		)
	return rows.filter((row): row is OpenPlan => row.body !== null)
}

/** The table of which `keeping` keeps a row that `deleting` deletes. */
async function meets(services: Services, keeping: PlanBody, deleting: PlanBody): Promise<string | undefined> {
	const kept = keeping.tables[0]
	if (keeping.witness.kind !== 'keeper' || !kept) return undefined
	for (const victims of deleting.tables.filter((table) => table.action === 'delete' && table.oid === kept.oid)) {
		// Counted, not searched for the first: of packed rows the server cannot tell how rare a match is, and would nest loops.
		const [row] = await services.pools.plan.unsafe<{ meets: boolean }[]>(
			`select count(*) > 0 as meets from ${scanRows(kept)} k join ${scanRows(victims)} v on v.leaf = k.wleaf and ${sameKeys(kept)}`,
		)
		if (row?.meets) return kept.table
	}
	return undefined
}

function sameKeys(table: PlannedTable): string {
	// One of the two may be packed.
	const cast = (typeName: string) => (isPackedAsText(typeName) ? '::text' : '')
	return table.key
		.map(({ typeName }, index) => `v.k${index + 1}${cast(typeName)} = k.w${index + 1}${cast(typeName)}`)
		.join(' and ')
}
