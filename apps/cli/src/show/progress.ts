import type { Restore, Run } from '@reprieve/client'
import type { Session } from '../command.ts'
import { waitingText } from './jobs.ts'
import { count } from './table.ts'

type State = Pick<Run | Restore, 'id' | 'status' | 'progress' | 'etaSeconds' | 'waiting'>

const width = 30
const lineEveryMs = 1_000

/** Follows a job to its end: a bar on a terminal, a line a second elsewhere, nothing under `--json`. Answers the final state. */
export async function follow<S extends State>(
	session: Session,
	states: AsyncIterable<S>,
	done: (state: S) => string,
): Promise<S> {
	const { io, json } = session
	let final: S | undefined
	let shownAt = 0
	for await (const state of states) {
		final = state
		const text = `${state.status} ${Math.floor(state.progress * 100)}% ${done(state)}${etaOf(state)}${waitingOf(state)}`
		if (json) continue
		if (io.isTerminal) io.err(`\r\u001b[2K${bar(state.progress)} ${text}`)
		else if (Date.now() - shownAt >= lineEveryMs) {
			io.err(`${text}\n`)
			shownAt = Date.now()
		}
	}
	if (io.isTerminal && !json) io.err('\r\u001b[2K')
	return final as S
}

function bar(progress: number): string {
	const full = Math.round(Math.min(1, Math.max(0, progress)) * width)
	return `[${'#'.repeat(full)}${'-'.repeat(width - full)}]`
}

function etaOf({ etaSeconds }: State): string {
	return etaSeconds === undefined ? '' : `, ${count(Math.ceil(etaSeconds))} s left`
}

function waitingOf({ waiting }: State): string {
	return waiting ? `, waiting: ${waitingText(waiting)}` : ''
}
