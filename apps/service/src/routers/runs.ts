import {
	driftedInput,
	driftedOutput,
	jobCommandInput,
	run,
	runGetInput,
	runListInput,
	runListOutput,
	runStartInput,
	runWatchInput,
} from '@reprieve/contracts'
import { cancelRun } from '../runs/cancel.ts'
import { listDrifted } from '../runs/drifted.ts'
import { getRun } from '../runs/get.ts'
import { listRuns } from '../runs/list.ts'
import { pauseRun } from '../runs/pause.ts'
import { resumeRun } from '../runs/resume.ts'
import { startRun } from '../runs/start.ts'
import { command, createRouter, query } from '../trpc.ts'
import { watchJob } from './watch.ts'

export const runs = createRouter({
	start: command
		.meta({ role: 'operator' })
		.input(runStartInput)
		.output(run)
		.mutation(({ ctx, input }) => startRun(ctx.services, ctx.principal, input, ctx.newId)),
	get: query
		.meta({ role: 'viewer' })
		.input(runGetInput)
		.output(run)
		.query(({ ctx, input }) => getRun(ctx.services, ctx.principal, input)),
	list: query
		.meta({ role: 'viewer' })
		.input(runListInput)
		.output(runListOutput)
		.query(({ ctx, input }) => listRuns(ctx.services, ctx.principal, input)),
	drifted: query
		.meta({ role: 'viewer' })
		.input(driftedInput)
		.output(driftedOutput)
		.query(({ ctx, input }) => listDrifted(ctx.services, ctx.principal, input)),
	watch: query
		.meta({ role: 'viewer' })
		.input(runWatchInput)
		.subscription(({ ctx, input, signal }) =>
			watchJob(() => getRun(ctx.services, ctx.principal, { id: input.id }), input.lastEventId, signal),
		),
	pause: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(run)
		.mutation(({ ctx, input }) => pauseRun(ctx.services, ctx.principal, input)),
	resume: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(run)
		.mutation(({ ctx, input }) => resumeRun(ctx.services, ctx.principal, input)),
	cancel: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(run)
		.mutation(({ ctx, input }) => cancelRun(ctx.services, ctx.principal, input)),
})
