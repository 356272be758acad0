import { policyGetInput, policyItem, policyListInput, policyListOutput, policyPutInput } from '@reprieve/contracts'
import { command, createRouter, query } from '../trpc.ts'
import { pending } from './pending.ts'

export const policies = createRouter({
	put: command
		.meta({ role: 'operator' })
		.input(policyPutInput)
		.output(policyItem)
		.mutation(() => pending()),
	get: query
		.meta({ role: 'viewer' })
		.input(policyGetInput)
		.output(policyItem)
		.query(() => pending()),
	list: query
		.meta({ role: 'viewer' })
		.input(policyListInput)
		.output(policyListOutput)
		.query(() => pending()),
})
