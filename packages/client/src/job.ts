import { type ErrorCode, errorCodes, type Failure, type JobStatus, ReprieveError } from '@reprieve/contracts'

/** What runs and restores have in common. */
export type JobState = { id: string; status: JobStatus; failure?: Failure }

/** A run or restore that goes on in the service. */
export type Job<State extends JobState> = {
	id: string
	/** Resolves with the final state, also `cancelled`; throws the job's failure as a ReprieveError. */
	finished(): Promise<State>
	/** Every change of state, the final one last; survives lost connections and restarts of the service. */
	progress(): AsyncIterable<State>
}

/** How a kind of job is read. */
export type JobSource<State extends JobState> = {
	get(id: string, waitSeconds: number): Promise<State>
	/** Pushes states until the returned function is called. */
	watch(id: string, on: Listener<State>): () => void
}

/** `end` is called once, whether the subscription completed or broke. */
export type Listener<State> = { state(state: State): void; end(): void }

/** The ends of a tRPC subscription. */
export function onEnd(on: Listener<never>): { onError(): void; onComplete(): void } {
	return { onError: on.end, onComplete: on.end }
}

const final: ReadonlySet<JobStatus> = new Set(['succeeded', 'failed', 'cancelled'])
const longestWaitSeconds = 20
const pollMs = 1_000
const longestOutageMs = 120_000
/** A subscription that says nothing for so long is left: it reconnects for ever and never tells that nobody is there. */
const longestSilenceMs = 15_000

/** Follows a job that was started now or earlier. */
export function followJob<State extends JobState>(source: JobSource<State>, id: string): Job<State> {
	return {
		id,
		finished: () => finished(source, id),
		progress: () => progress(source, id),
	}
}

/** Whether a job's status is one that it keeps. */
function isFinal(status: JobStatus): boolean {
	return final.has(status)
}

async function finished<State extends JobState>(source: JobSource<State>, id: string): Promise<State> {
	for (;;) {
		const state = await patiently(() => source.get(id, longestWaitSeconds))
		if (state.status === 'failed') throw failureOf(state)
		if (isFinal(state.status)) return state
	}
}

async function* progress<State extends JobState>(source: JobSource<State>, id: string): AsyncGenerator<State> {
	for await (const state of watched(source, id)) {
		yield state
		if (isFinal(state.status)) return
	}
	for (;;) {
		const state = await patiently(() => source.get(id, 0))
		yield state
		if (isFinal(state.status)) return
		await pause(pollMs)
	}
}

/** What the subscription pushes until it ends, for whatever reason, or falls silent. */
async function* watched<State extends JobState>(source: JobSource<State>, id: string): AsyncGenerator<State> {
	const arrived: State[] = []
	let ended = false
	let wake = () => {}
	const stop = source.watch(id, {
		state: (state) => {
			arrived.push(state)
			wake()
		},
		end: () => {
			ended = true
			wake()
		},
	})
	try {
		while (!ended || arrived.length > 0) {
			const next = arrived.shift()
			if (next) yield next
			else if (!(await isWoken((resolve) => (wake = resolve)))) return
		}
	} finally {
		stop()
	}
}

async function isWoken(listen: (wake: () => void) => void): Promise<boolean> {
	let silence: ReturnType<typeof setTimeout> | undefined
	const woken = new Promise<boolean>((resolve) => {
		silence = setTimeout(() => resolve(false), longestSilenceMs)
		listen(() => resolve(true))
	})
	return await woken.finally(() => clearTimeout(silence))
}

/** A service that restarts is waited for: the job goes on where it was. */
async function patiently<T>(read: () => Promise<T>): Promise<T> {
	const deadline = performance.now() + longestOutageMs
	for (;;) {
		try {
			return await read()
		} catch (error) {
			const unavailable = error instanceof ReprieveError && error.retryable
			if (!unavailable || performance.now() > deadline) throw error
			await pause(pollMs)
		}
	}
}

function failureOf(state: JobState): ReprieveError {
	const { code = 'INTERNAL', message = `${state.id} failed`, hint } = state.failure ?? {}
	const known = (errorCodes as readonly string[]).includes(code)
	return new ReprieveError(known ? (code as ErrorCode) : 'INTERNAL', message, { hint })
}

function pause(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms))
}
