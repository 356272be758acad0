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
import { command, createRouter, query } from '../trpc.ts'
import { pending } from './pending.ts'

export const plans = createRouter({
	create: command
		.meta({ role: 'operator' })
		.input(planCreateInput)
		.output(plan)
		.mutation(() => pending()),
	get: query
		.meta({ role: 'viewer' })
		.input(planGetInput)
		.output(plan)
		.query(() => pending()),
	list: query
		.meta({ role: 'viewer' })
		.input(planListInput)
		.output(planListOutput)
		.query(() => pending()),
	rows: query
		.meta({ role: 'viewer' })
		.input(planRowsInput)
		.output(planRowsOutput)
		.query(() => pending()),
	approve: command
		.meta({ role: 'approver' })
		.input(planApproveInput)
		.output(plan)
		.mutation(() => pending()),
	discard: command
		.meta({ role: 'operator' })
		.input(planDiscardInput)
		.output(plan)
		.mutation(() => pending()),
})
