import { cleanupInput, cleanupOutput } from '@reprieve/contracts'
import { command, createRouter } from '../trpc.ts'
import { pending } from './pending.ts'

const cleanup = command.meta({ role: 'operator' })

export const cleanupRouter = createRouter({
	duplicates: cleanup
		.input(cleanupInput.duplicates)
		.output(cleanupOutput)
		.mutation(() => pending()),
	stale: cleanup
		.input(cleanupInput.stale)
		.output(cleanupOutput)
		.mutation(() => pending()),
	orphans: cleanup
		.input(cleanupInput.orphans)
		.output(cleanupOutput)
		.mutation(() => pending()),
	incomplete: cleanup
		.input(cleanupInput.incomplete)
		.output(cleanupOutput)
		.mutation(() => pending()),
	match: cleanup
		.input(cleanupInput.match)
		.output(cleanupOutput)
		.mutation(() => pending()),
})
