import { ReprieveError } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { toPlanError } from './failure.ts'

const withCode = (code: string, message = code) => Object.assign(new Error(message), { code })
/** As a query builder throws what its driver threw. */
const wrapped = (code: string) => new Error('Failed query: select 1', { cause: withCode(code) })

test('a server that is away, however that shows, is to be asked again', () => {
	for (const code of ['57P01', '57P02', '57P03', '08006', '53300', 'ECONNRESET', 'ECONNREFUSED', 'CONNECTION_CLOSED']) {
		for (const error of [withCode(code), wrapped(code)]) {
			expect([code, toPlanError(error)]).toMatchObject([code, { code: 'UNAVAILABLE', retryable: true }])
		}
	}
})

test('what the policy brings is told with what PostgreSQL says of it', () => {
	expect(toPlanError(withCode('22P02', 'invalid input syntax'))).toMatchObject({
		code: 'INVALID',
		message: 'the policy cannot be evaluated: invalid input syntax',
	})
	expect(toPlanError(wrapped('42P01'))).toMatchObject({
		code: 'CONFLICT',
		message: 'the policy cannot be evaluated: 42P01',
	})
})

test('a refusal stays itself; what nobody knows says nothing of the inside', () => {
	const refusal = new ReprieveError('FORBIDDEN', 'no')
	expect(toPlanError(refusal)).toBe(refusal)
	for (const error of [new Error('secret'), withCode('XX000', 'secret'), 'secret']) {
		expect(toPlanError(error)).toMatchObject({ code: 'INTERNAL', message: 'the plan could not be made' })
	}
})
