import {
	jobCommandInput,
	preview,
	previewInput,
	type Restore,
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
import { command, createRouter, query } from '../trpc.ts'
import { pending } from './pending.ts'
import { watchJob } from './watch.ts'

export const restores = createRouter({
	preview: query
		.meta({ role: 'operator' })
		.input(previewInput)
		.output(preview)
		.query(() => pending()),
	start: command
		.meta({ role: 'operator' })
		.input(restoreStartInput)
		.output(restore)
		.mutation(() => pending()),
	get: query
		.meta({ role: 'viewer' })
		.input(restoreGetInput)
		.output(restore)
		.query(() => pending()),
	list: query
		.meta({ role: 'viewer' })
		.input(restoreListInput)
		.output(restoreListOutput)
		.query(() => pending()),
	report: query
		.meta({ role: 'viewer' })
		.input(reportInput)
		.output(reportOutput)
		.query(() => pending()),
	watch: query
		.meta({ role: 'viewer' })
		.input(runWatchInput)
		.subscription(({ input, signal }) => watchJob(async (): Promise<Restore> => pending(), input.lastEventId, signal)),
	pause: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(restore)
		.mutation(() => pending()),
	resume: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(restore)
		.mutation(() => pending()),
	cancel: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(restore)
		.mutation(() => pending()),
	undo: command
		.meta({ role: 'operator' })
		.input(jobCommandInput)
		.output(undoOutput)
		.mutation(() => pending()),
})
