import { auditListInput, auditListOutput, auditVerifyOutput, statusInput } from '@reprieve/contracts'
import { listAudit } from '../audit/list.ts'
import { verifyAudit } from '../audit/verify.ts'
import { createRouter, query } from '../trpc.ts'

export const audit = createRouter({
	list: query
		.meta({ role: 'admin' })
		.input(auditListInput)
		.output(auditListOutput)
		.query(({ ctx, input }) => listAudit(ctx.services, ctx.principal, input)),
	verify: query
		.meta({ role: 'admin' })
		.input(statusInput)
		.output(auditVerifyOutput)
		.query(({ ctx }) => verifyAudit(ctx.services)),
})
