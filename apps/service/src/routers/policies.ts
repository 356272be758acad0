import { policyGetInput, policyItem, policyListInput, policyListOutput, policyPutInput } from '@reprieve/contracts'
import { getPolicy } from '../policies/get.ts'
import { listPolicies } from '../policies/list.ts'
import { putPolicy } from '../policies/put.ts'
import { command, createRouter, query } from '../trpc.ts'

export const policies = createRouter({
	put: command
		.meta({ role: 'operator' })
		.input(policyPutInput)
		.output(policyItem)
		.mutation(({ ctx, input }) => putPolicy(ctx.services, ctx.principal, input)),
	get: query
		.meta({ role: 'viewer' })
		.input(policyGetInput)
		.output(policyItem)
		.query(({ ctx, input }) => getPolicy(ctx.services, ctx.principal, input)),
	list: query
		.meta({ role: 'viewer' })
		.input(policyListInput)
		.output(policyListOutput)
		.query(({ ctx, input }) => listPolicies(ctx.services, ctx.principal, input)),
})
