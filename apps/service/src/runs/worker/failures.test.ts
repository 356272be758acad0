import { ReprieveError } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { judgeFailure } from './failures.ts'
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
	}
	for (const code of ['23503', '42P01', '57P04', 'P0001']) expect(judgeFailure(withCode(code))).toBe('fail')
	expect(judgeFailure(new Error('no code'))).toBe('fail')
})

test('a closed gate waits, a lost lease leaves, a finding fails', () => {
	expect(judgeFailure(new GateClosed([]))).toBe('gate')
	expect(judgeFailure(new LeaseLost({ runId: 'r', owner: 'o', epoch: 1 }))).toBe('leave')
	expect(judgeFailure(new ReprieveError('PLAN_DRIFTED', 'x'))).toBe('fail')
})
