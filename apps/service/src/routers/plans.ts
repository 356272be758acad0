import {
	plan,
	planApproveInput,
	planCreateInput,
	planDiscardInput,
	planGetInput,
	planListInput,
	planListOutput,
	planRowsInput,
	planRowsOutput,
} from '@reprieve/contracts'
import { approvePlan } from '../plans/approve.ts'
import { createPlan } from '../plans/create.ts'
import { discardPlan } from '../plans/discard.ts'
import { getPlan } from '../plans/get.ts'
import { listPlans } from '../plans/list.ts'
import { listPlanRows } from '../plans/rows.ts'
import { command, createRouter, query } from '../trpc.ts'

export const plans = createRouter({
	create: command
		.meta({ role: 'operator' })
		.input(planCreateInput)
		.output(plan)
		.mutation(({ ctx, input }) => createPlan(ctx.services, ctx.principal, input, { id: ctx.newId })),
	get: query
		.meta({ role: 'viewer' })
		.input(planGetInput)
		.output(plan)
		.query(({ ctx, input }) => getPlan(ctx.services, ctx.principal, input)),
	list: query
		.meta({ role: 'viewer' })
		.input(planListInput)
		.output(planListOutput)
		.query(({ ctx, input }) => listPlans(ctx.services, ctx.principal, input)),
	rows: query
		.meta({ role: 'viewer' })
		.input(planRowsInput)
		.output(planRowsOutput)
		.query(({ ctx, input }) => listPlanRows(ctx.services, ctx.principal, input)),
	approve: command
		.meta({ role: 'approver' })
		.input(planApproveInput)
		.output(plan)
		.mutation(({ ctx, input }) => approvePlan(ctx.services, ctx.principal, input)),
	discard: command
		.meta({ role: 'operator' })
		.input(planDiscardInput)
		.output(plan)
		.mutation(({ ctx, input }) => discardPlan(ctx.services, ctx.principal, input)),
})
