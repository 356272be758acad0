import { ReprieveError } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { isPassing, judgeFailure } from './failures.ts'
import { GateClosed } from './gate.ts'
import { LeaseLost } from './record.ts'

const withCode = (code: string) => Object.assign(new Error(code), { code })

test('contention is tried again, a full disk waited for, a lost connection looked at anew, all else fails', () => {
	for (const code of ['40001', '40P01', '55P03', '57014', '53200', '25P03', '25P04', '57P05']) {
		expect(judgeFailure(withCode(code))).toBe('retry')
	}
	expect(judgeFailure(withCode('53100'))).toBe('wait')
	for (const code of ['08006', '57P01', '53300', 'CONNECTION_CLOSED', 'ECONNREFUSED']) {
		expect(judgeFailure(withCode(code))).toBe('reconnect')
		expect(judgeFailure(new Error('Failed query', { cause: withCode(code) }))).toBe('reconnect')
	}
	for (const code of ['23503', '42P01', '57P04', 'P0001']) expect(judgeFailure(withCode(code))).toBe('fail')
	expect(judgeFailure(new Error('no code'))).toBe('fail')
})

test('what a run tries again passes for a restore too', () => {
	const unreachable = ['CONNECT_TIMEOUT', 'EPIPE', 'ETIMEDOUT', 'ECONNRESET', 'CONNECTION_ENDED', '08006', '53300']
	for (const code of [...unreachable, '40001', '57014', '53200', '57P05']) {
		expect([code, isPassing(withCode(code))]).toEqual([code, true])
	}
	for (const code of ['23503', '42P01', '53100', '57P04', ''])
		expect([code, isPassing(withCode(code))]).toEqual([code, false])
})

test('a closed gate waits, a lost lease leaves, a finding fails', () => {
	expect(judgeFailure(new GateClosed([]))).toBe('gate')
	expect(judgeFailure(new LeaseLost({ runId: 'r', owner: 'o', epoch: 1 }))).toBe('leave')
	expect(judgeFailure(new ReprieveError('PLAN_DRIFTED', 'x'))).toBe('fail')
})
