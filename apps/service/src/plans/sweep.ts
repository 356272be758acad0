import { setTimeout } from 'node:timers/promises'
import { ReprieveError } from '@reprieve/contracts'
import { plans, runs } from '@reprieve/control'
import { and, eq, inArray, lt, lte } from 'drizzle-orm'
import type { Services } from '../context.ts'
import { dropPlanRows } from './drop-rows.ts'
import { toFailure } from './failure.ts'
import { usableStatuses } from './lifecycle.ts'
import { isWorkedAt } from './liveness.ts'

/** A plan is given so long between being stored and being worked at. */
const startWithinMs = 60_000

/** Who makes a plan holds nothing between two of its transactions: nobody is at it only where two looks say so. */
const lookAgainMs = 1_000

export type Swept = { expired: number; abandoned: number; dropped: number }

/**
 * Marks plans whose time is up, fails those that nobody works at any more (their process ended), and drops the rows
 * tables of plans that can lead to no run. Safe to call from several processes at once.
 */
export async function sweepPlans(services: Services): Promise<Swept> {
	const expired = await expirePlans(services)
	const abandoned = await failAbandoned(services)
	return { expired, abandoned, dropped: await dropUnneeded(services) }
}

async function expirePlans(services: Services): Promise<number> {
	const rows = await services.control.db
		.update(plans)
		.set({ status: 'expired' })
		.where(and(inArray(plans.status, [...usableStatuses]), lte(plans.expiresAt, services.clock.now().toISOString())))
		.returning({ id: plans.id })
	return rows.length
}

async function failAbandoned(services: Services): Promise<number> {
	const { db } = services.control
	const before = new Date(services.clock.now().getTime() - startWithinMs).toISOString()
	const old = await db
		.select({ id: plans.id })
		.from(plans)
		.where(and(eq(plans.status, 'planning'), lt(plans.createdAt, before)))
	let failed = 0
	for (const { id } of old) {
		if (await isWorkedAt(services, id)) continue
		await setTimeout(lookAgainMs)
		if (await isWorkedAt(services, id)) continue
		const failure = toFailure(
			new ReprieveError('UNAVAILABLE', `the process that made plan ${id} ended`, { hint: 'Make the plan again.' }),
		)
		await db
			.update(plans)
			.set({ status: 'failed', failure })
			.where(and(eq(plans.id, id), eq(plans.status, 'planning')))
		failed += 1
	}
	return failed
}

async function dropUnneeded(services: Services): Promise<number> {
	const stored = await services.pools.plan<{ id: string }[]>`
		select distinct substring(c.relname from '^plan_([0-9a-f]{32})_[0-9]+$') as id
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = 'reprieve' and c.relkind = 'r' and c.relname ~ '^plan_[0-9a-f]{32}_[0-9]+$'`
	const needed = await readNeeded(services)
	let dropped = 0
	for (const { id } of stored.filter((one) => !needed.has(one.id))) {
		// Nobody at it, and still needed by none: in this order, since who was at it may have just stored the plan.
		if ((await isWorkedAt(services, dashed(id))) || (await readNeeded(services)).has(id)) continue
		await dropPlanRows(services.pools.plan, id)
		dropped += 1
	}
	return dropped
}

function dashed(hex: string): string {
	return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Plans that are being made, can be used, or have a run that is not over; ids without dashes. */
async function readNeeded(services: Services): Promise<Set<string>> {
	const rows = await services.control.db
		.select({ id: plans.id, status: plans.status, run: runs.status })
		.from(plans)
		.leftJoin(runs, eq(runs.planId, plans.id))
		.where(inArray(plans.status, ['planning', 'used', ...usableStatuses]))
	const isOver = (run: string | null) => run === 'succeeded' || run === 'cancelled' || run === 'failed'
	return new Set(
		rows.filter((row) => row.status !== 'used' || !isOver(row.run)).map(({ id }) => id.replaceAll('-', '')),
	)
}
