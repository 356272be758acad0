import { answer, type Raw } from './connect.ts'
import type {
	Page,
	Preview,
	PreviewOptions,
	Restore,
	RestoreList,
	RestoreListInput,
	RestoreReport,
	RestoreStartInput,
	Undo,
} from './contract.ts'
import { followJob, type Job, type JobSource, onEnd } from './job.ts'

export type RestoreJob = Job<Restore>

/** Restores: jobs that put archived rows back. */
export type Restores = {
	/** Then versus now, per table; changes nothing. */
	preview(input: PreviewOptions): Promise<Preview>
	/** Restores exactly what was previewed: `hash` is the preview's. */
	start(input: RestoreStartInput): Promise<RestoreJob>
	/** The handle of a restore that was started elsewhere or earlier. */
	follow(id: string): RestoreJob
	get(id: string): Promise<Restore>
	list(input?: RestoreListInput): Promise<RestoreList>
	/** Names every row that is not as it was. */
	report(id: string, page?: Page): Promise<RestoreReport>
	pause(id: string): Promise<Restore>
	resume(id: string): Promise<Restore>
	cancel(id: string): Promise<Restore>
	/** A plan over the rows that the restore wrote, run like any other. */
	undo(id: string): Promise<Undo>
}

/** The restores' calls over a raw client. */
export function restoresOf(trpc: Raw): Restores {
	const source: JobSource<Restore> = {
		get: (id, wait) => answer(trpc.restores.get.query(wait > 0 ? { id, wait } : { id })),
		watch: (id, on) => {
			const watching = trpc.restores.watch.subscribe({ id }, { onData: ({ data }) => on.state(data), ...onEnd(on) })
			return () => watching.unsubscribe()
		},
	}
	return {
		preview: (input) => answer(trpc.restores.preview.query(input)),
		start: async (input) => followJob(source, (await answer(trpc.restores.start.mutate(input))).id),
		follow: (id) => followJob(source, id),
		get: (id) => source.get(id, 0),
		list: (input = {}) => answer(trpc.restores.list.query(input)),
		report: (id, page = {}) => answer(trpc.restores.report.query({ id, ...page })),
		pause: (id) => answer(trpc.restores.pause.mutate({ id })),
		resume: (id) => answer(trpc.restores.resume.mutate({ id })),
		cancel: (id) => answer(trpc.restores.cancel.mutate({ id })),
		undo: (id) => answer(trpc.restores.undo.mutate({ id })),
	}
}
