import {
	driftedInput,
	driftedOutput,
	jobCommandInput,
	type Run,
	run,
	runGetInput,
	runListInput,
	runListOutput,
	runStartInput,
	runWatchInput,
} from '@reprieve/contracts'
import { command, createRouter, query } from '../trpc.ts'
import { pending } from './pending.ts'
import { watchJob } from './watch.ts'

export const runs = createRouter({
	start: command
		.meta({ role: 'operator' })
		.input(runStartInput)
		.output(run)
		.mutation(() => pending()),
	get: query
		.meta({ role: 'viewer' })
		.input(runGetInput)
		.output(run)
		.query(() => pending()),
	list: query
		.meta({ role: 'viewer' })
		.input(runListInput)
		.output(runListOutput)
		.query(() => pending()),
	drifted: query
		.meta({ role: 'viewer' })
		.input(driftedInput)
		.output(driftedOutput)
		.query(() => pending()),
	watch: query
		.meta({ role: 'viewer' })
		.input(runWatchInput)
		.subscription(({ input, signal }) => watchJob(async (): Promise<Run> => pending(), input.lastEventId, signal)),
	pause: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(run)
		.mutation(() => pending()),
	resume: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(run)
		.mutation(() => pending()),
	cancel: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(run)
		.mutation(() => pending()),
})
