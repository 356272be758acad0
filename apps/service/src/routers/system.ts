import {
	incident,
	incidentListInput,
	incidentListOutput,
	incidentResolveInput,
	status,
	statusInput,
	verifyInput,
	verifyOutput,
} from '@reprieve/contracts'
import { listIncidents } from '../system/incidents.ts'
import { resolveIncident } from '../system/resolve-incident.ts'
import { systemStatus } from '../system/status.ts'
import { verifyVault } from '../system/verify.ts'
import { command, createRouter, query } from '../trpc.ts'

export const system = createRouter({
	status: query
		.meta({ role: 'viewer' })
		.input(statusInput)
		.output(status)
		.query(({ ctx }) => systemStatus(ctx.services)),
	incidents: query
		.meta({ role: 'viewer' })
		.input(incidentListInput)
		.output(incidentListOutput)
		.query(({ ctx, input }) => listIncidents(ctx.services, ctx.principal, input)),
	resolveIncident: command
		.meta({ role: 'admin' })
		.input(incidentResolveInput)
		.output(incident)
		.mutation(({ ctx, input }) => resolveIncident(ctx.services, ctx.principal, input)),
	verify: query
		.meta({ role: 'operator' })
		.input(verifyInput)
		.output(verifyOutput)
		.query(({ ctx, input }) => verifyVault(ctx.services, ctx.principal, input)),
})
