import {
	jobCommandInput,
	preview,
	previewInput,
	reportInput,
	reportOutput,
	restore,
	restoreGetInput,
	restoreListInput,
	restoreListOutput,
	restoreStartInput,
	runWatchInput,
	undoOutput,
} from '@reprieve/contracts'
import { cancelRestore } from '../restores/cancel.ts'
import { getRestore } from '../restores/get.ts'
import { listRestores } from '../restores/list.ts'
import { pauseRestore } from '../restores/pause.ts'
import { previewRestore } from '../restores/preview.ts'
import { reportRestore } from '../restores/report.ts'
import { resumeRestore } from '../restores/resume.ts'
import { startRestore } from '../restores/start.ts'
import { undoRestore } from '../restores/undo.ts'
import { command, createRouter, query } from '../trpc.ts'
import { watchJob } from './watch.ts'

export const restores = createRouter({
	preview: query
		.meta({ role: 'operator' })
		.input(previewInput)
		.output(preview)
		.query(({ ctx, input }) => previewRestore(ctx.services, ctx.principal, input)),
	start: command
		.meta({ role: 'operator' })
		.input(restoreStartInput)
		.output(restore)
		.mutation(({ ctx, input }) => startRestore(ctx.services, ctx.principal, input, { id: ctx.newId })),
	get: query
		.meta({ role: 'viewer' })
		.input(restoreGetInput)
		.output(restore)
		.query(({ ctx, input }) => getRestore(ctx.services, ctx.principal, input)),
	list: query
		.meta({ role: 'viewer' })
		.input(restoreListInput)
		.output(restoreListOutput)
		.query(({ ctx, input }) => listRestores(ctx.services, ctx.principal, input)),
	report: query
		.meta({ role: 'viewer' })
		.input(reportInput)
		.output(reportOutput)
		.query(({ ctx, input }) => reportRestore(ctx.services, ctx.principal, input)),
	watch: query
		.meta({ role: 'viewer' })
		.input(runWatchInput)
		.subscription(({ ctx, input, signal }) =>
			watchJob(() => getRestore(ctx.services, ctx.principal, { id: input.id }), input.lastEventId, signal),
		),
	pause: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(restore)
		.mutation(({ ctx, input }) => pauseRestore(ctx.services, ctx.principal, input)),
	resume: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(restore)
		.mutation(({ ctx, input }) => resumeRestore(ctx.services, ctx.principal, input)),
	cancel: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(restore)
		.mutation(({ ctx, input }) => cancelRestore(ctx.services, ctx.principal, input)),
	undo: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(undoOutput)
		.mutation(({ ctx, input }) => undoRestore(ctx.services, ctx.principal, input, ctx.newId)),
})
