import { type ErrorCode, type Failure, ReprieveError } from '@reprieve/contracts'
import { databaseError, isOutage } from '../outage.ts'

const codes: Record<string, { code: ErrorCode; hint: string }> = {
	'42501': {
		code: 'FORBIDDEN',
		hint: 'Grant the planning role SELECT on the tables, and BYPASSRLS where row security applies.',
	},
	'42883': { code: 'INVALID', hint: 'The type of a column has no such comparison.' },
	'42725': { code: 'INVALID', hint: 'The type of a column has no such comparison.' },
	'42804': { code: 'INVALID', hint: 'The types of the columns do not fit together.' },
	'42846': { code: 'INVALID', hint: 'The types of the columns do not fit together.' },
	'42P22': { code: 'INVALID', hint: 'The collations of the columns do not fit together.' },
	'0A000': { code: 'INVALID', hint: 'The column cannot be compared so.' },
	'23514': { code: 'INVALID', hint: 'A value breaks the check of its type.' },
	'42P01': { code: 'CONFLICT', hint: 'A table was dropped meanwhile. Make the plan again.' },
	'42703': { code: 'CONFLICT', hint: 'A column was dropped meanwhile. Make the plan again.' },
	'57014': {
		code: 'UNAVAILABLE',
		hint: 'The statement was cancelled or took too long. Narrow the policy, or try again.',
	},
	'53100': { code: 'UNAVAILABLE', hint: 'The disk of the database is full.' },
	'53200': { code: 'UNAVAILABLE', hint: 'The database is out of memory.' },
	'40P01': { code: 'UNAVAILABLE', hint: 'Try again.' },
	'55P03': { code: 'UNAVAILABLE', hint: 'A table is locked. Try again.' },
}

/** What went wrong while a plan was made, under one of reprieve's codes. */
export function toPlanError(error: unknown): ReprieveError {
	if (error instanceof ReprieveError) return error
	const { code = '', message } = databaseError(error) ?? {}
	const known =
		codes[code] ??
		(code.startsWith('22') ? { code: 'INVALID' as const, hint: 'Look at the values of the policy.' } : undefined)
	if (known)
		return new ReprieveError(known.code, `the policy cannot be evaluated: ${message}`, {
			hint: known.hint,
			cause: error,
		})
	if (isOutage(code)) {
		return new ReprieveError('UNAVAILABLE', 'the database did not answer while the plan was made', {
			cause: error,
			hint: 'Try again.',
		})
	}
	return new ReprieveError('INTERNAL', 'the plan could not be made', { cause: error })
}

/** The error as a plan's row keeps it. */
export function toFailure(error: ReprieveError): Failure {
	return { code: error.code, message: error.message, hint: error.hint }
}
