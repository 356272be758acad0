import { type JobStatus, jobStatuses } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { finalStatuses, nextStatus, type RunEvent, runEvents, statusesThatAllow, transitions } from './lifecycle.ts'

const refused = 'refused'
/** Rows are events; columns follow jobStatuses. */
const table: Record<RunEvent, (JobStatus | typeof refused)[]> = {
	claim: ['running', 'running', 'pausing', refused, 'cancelling', refused, refused, refused],
	pause: ['paused', 'pausing', 'pausing', 'paused', refused, refused, refused, refused],
	resume: ['queued', 'running', 'running', 'queued', refused, refused, refused, refused],
	cancel: ['cancelled', 'cancelling', 'cancelling', 'cancelled', 'cancelling', 'cancelled', refused, refused],
	settle: [refused, refused, 'paused', refused, 'cancelled', refused, refused, refused],
	finish: [refused, 'succeeded', 'succeeded', refused, 'succeeded', refused, refused, refused],
	fail: ['failed', 'failed', 'failed', 'failed', 'failed', refused, refused, refused],
}

for (const event of runEvents) {
	for (const [index, status] of jobStatuses.entries()) {
		test(`${event} of a run that is ${status} leads to ${table[event][index]}`, () => {
			const expected = table[event][index]
			if (expected === refused)
				expect(() => nextStatus(event, status)).toThrow(`cannot ${event} a run that is ${status}`)
			else expect(nextStatus(event, status)).toBe(expected)
		})
	}
}

test('every cell says why', () => {
	for (const event of runEvents) {
		for (const status of jobStatuses) {
			const cell = transitions[event][status]
			expect('to' in cell ? cell.why : cell.refused).not.toBe('')
		}
	}
})

test('nothing leaves a final status', () => {
	for (const event of runEvents) {
		for (const status of finalStatuses) {
			const cell = transitions[event][status]
			if ('to' in cell) expect(cell.to).toBe(status)
		}
	}
})

test('a worker claims what is queued or was left behind', () => {
	expect(statusesThatAllow('claim')).toEqual(['queued', 'running', 'pausing', 'cancelling'])
})
