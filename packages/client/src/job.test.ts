import { ReprieveError } from '@reprieve/contracts'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { followJob, type JobSource, type JobState } from './job.ts'

beforeEach(() => {
	vi.useFakeTimers()
})
afterEach(() => {
	vi.useRealTimers()
})

/** A service that pushed one state and then died: its subscription neither pushes nor ends. */
function silent(get: JobSource<JobState>['get']): JobSource<JobState> {
	return {
		get,
		watch: (id, on) => {
			on.state({ id, status: 'running' })
			return () => {}
		},
	}
}

async function statusesOf(source: JobSource<JobState>): Promise<string[]> {
	const statuses: string[] = []
	for await (const state of followJob(source, 'j').progress()) statuses.push(state.status)
	return statuses
}

test('progress goes on by asking when the subscription falls silent', async () => {
	const statuses = statusesOf(silent(async (id) => ({ id, status: 'succeeded' })))
	await vi.runAllTimersAsync()
	expect(await statuses).toEqual(['running', 'succeeded'])
})

test('progress of a service that stays away ends with its error', async () => {
	const away = async () => {
		throw new ReprieveError('UNAVAILABLE', 'nobody answers')
	}
	const statuses = expect(statusesOf(silent(away))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
	await vi.runAllTimersAsync()
	await statuses
})
