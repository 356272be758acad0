import { answer, type Raw } from './connect.ts'
import type { DriftedRows, Page, Run, RunList, RunListInput, RunStartInput } from './contract.ts'
import { followJob, type Job, type JobSource, onEnd } from './job.ts'

export type RunJob = Job<Run>

/** Runs: executions of plans. */
export type Runs = {
	start(input: RunStartInput): Promise<RunJob>
	/** The handle of a run that was started elsewhere or earlier. */
	follow(id: string): RunJob
	get(id: string): Promise<Run>
	list(input?: RunListInput): Promise<RunList>
	/** Planned rows that were left because they or their reason changed. */
	drifted(id: string, page?: Page): Promise<DriftedRows>
	pause(id: string): Promise<Run>
	resume(id: string): Promise<Run>
	cancel(id: string): Promise<Run>
}

/** The runs' calls over a raw client. */
export function runsOf(trpc: Raw): Runs {
	const source = sourceOf(trpc)
	return {
		start: async (input) => followJob(source, (await answer(trpc.runs.start.mutate(input))).id),
		follow: (id) => followJob(source, id),
		get: (id) => source.get(id, 0),
		list: (input = {}) => answer(trpc.runs.list.query(input)),
		drifted: (id, page = {}) => answer(trpc.runs.drifted.query({ id, ...page })),
		pause: (id) => answer(trpc.runs.pause.mutate({ id })),
		resume: (id) => answer(trpc.runs.resume.mutate({ id })),
		cancel: (id) => answer(trpc.runs.cancel.mutate({ id })),
	}
}

function sourceOf(trpc: Raw): JobSource<Run> {
	return {
		get: (id, wait) => answer(trpc.runs.get.query(wait > 0 ? { id, wait } : { id })),
		watch: (id, on) => {
			const watching = trpc.runs.watch.subscribe({ id }, { onData: ({ data }) => on.state(data), ...onEnd(on) })
			return () => watching.unsubscribe()
		},
	}
}
