import { status, statusInput, verifyInput, verifyOutput } from '@reprieve/contracts'
import { systemStatus } from '../system/status.ts'
import { verifyVault } from '../system/verify.ts'
import { createRouter, query } from '../trpc.ts'

export const system = createRouter({
	status: query
		.meta({ role: 'viewer' })
		.input(statusInput)
		.output(status)
		.query(({ ctx }) => systemStatus(ctx.services)),
	verify: query
		.meta({ role: 'operator' })
		.input(verifyInput)
		.output(verifyOutput)
		.query(({ ctx, input }) => verifyVault(ctx.services, ctx.principal, input)),
})
