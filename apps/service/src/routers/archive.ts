import { barrierInput, barrierOutput, changesInput, changesOutput } from '@reprieve/contracts'
import { passBarrier } from '../archive/barrier.ts'
import { findChanges } from '../archive/changes.ts'
import { command, createRouter, query } from '../trpc.ts'

export const archive = createRouter({
	changes: query
		.meta({ role: 'viewer' })
		.input(changesInput)
		.output(changesOutput)
		.query(({ ctx, input }) => findChanges(ctx.services, ctx.principal, input)),
	barrier: command
		.meta({ role: 'operator' })
		.input(barrierInput)
		.output(barrierOutput)
		.mutation(({ ctx, input }) => passBarrier(ctx.services, ctx.principal, input)),
})
