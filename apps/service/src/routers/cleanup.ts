import { cleanupInput, cleanupOutput } from '@reprieve/contracts'
import { cleanUp } from '../cleanup/clean.ts'
import { command, createRouter } from '../trpc.ts'

const cleanup = command.meta({ role: 'operator' })

export const cleanupRouter = createRouter({
	duplicates: cleanup
		.input(cleanupInput.duplicates)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'duplicates', input, id: ctx.newId })),
	stale: cleanup
		.input(cleanupInput.stale)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'stale', input, id: ctx.newId })),
	orphans: cleanup
		.input(cleanupInput.orphans)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'orphans', input, id: ctx.newId })),
	incomplete: cleanup
		.input(cleanupInput.incomplete)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'incomplete', input, id: ctx.newId })),
	match: cleanup
		.input(cleanupInput.match)
		.output(cleanupOutput)
		.mutation(({ ctx, input }) => cleanUp(ctx.services, ctx.principal, { kind: 'match', input, id: ctx.newId })),
})
