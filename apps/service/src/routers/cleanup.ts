import { cleanupInput, cleanupOutput } from '@reprieve/contracts'
import { cleanUp } from '../cleanup/clean.ts'
import { command, createRouter } from '../trpc.ts'

const cleanup = command.meta({ role: 'operator' })

export const cleanupRouter = createRouter({
	duplicates: cleanup
		.input(cleanupInput.duplicates)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'duplicates', input })),
	stale: cleanup
		.input(cleanupInput.stale)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'stale', input })),
	orphans: cleanup
		.input(cleanupInput.orphans)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'orphans', input })),
	incomplete: cleanup
		.input(cleanupInput.incomplete)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'incomplete', input })),
	match: cleanup
		.input(cleanupInput.match)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'match', input })),
})
