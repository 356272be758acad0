import { type ErrorCode, httpStatus, type Problem } from '@reprieve/contracts'
import { expect } from 'vitest'
import type { Answer } from '../surfaces/support.ts'

/** Words that only our own sources, SQL texts and stacks have. */
const inside = /node_modules|\.ts:\d|\n\s+at |\bselect\b.*\bfrom\b|insert into|\$1::|postgres:\/\//i

/** Asserts that an answer over REST is a whole problem of that code, and tells nothing about the inside. */
export function expectRefusal(answer: Answer, code: ErrorCode, about: string, status = httpStatus[code]): void {
	const problem = answer.body as unknown as Problem
	expect.soft([about, problem.code, answer.status, problem.detail]).toEqual([about, code, status, expect.any(String)])
	expect.soft([about, answer.headers.get('content-type')]).toEqual([about, 'application/problem+json'])
	expectWhole(problem, about, status)
	expect.soft([about, problem.requestId]).toEqual([about, answer.headers.get('x-request-id')])
}

/** The same over tRPC, where the problem is the error's data. */
export function expectTrpcRefusal(answer: Answer, code: ErrorCode, about: string): void {
	const { data } = (answer.body as { error: { data: Problem } }).error
	expect.soft([about, data?.code, data?.detail]).toEqual([about, code, expect.any(String)])
	expectWhole(data, about, httpStatus[code])
	expect.soft([about, JSON.stringify(answer.body)]).toEqual([about, expect.not.stringMatching(inside)])
}

function expectWhole(problem: Problem, about: string, status: number): void {
	expect.soft([about, problem]).toEqual([
		about,
		expect.objectContaining({
			type: `urn:reprieve:error:${problem.code}`,
			title: expect.any(String),
			status,
			retryable: expect.any(Boolean),
			requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
		}),
	])
	expect.soft([about, JSON.stringify(problem)]).toEqual([about, expect.not.stringMatching(inside)])
}
