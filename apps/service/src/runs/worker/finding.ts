import { type ErrorCode, type ErrorOptions, type Failure, ReprieveError, type Row } from '@reprieve/contracts'

/** What rolled a batch back and ends its run; names the row where one is to blame. */
export class BatchFinding extends ReprieveError {
	readonly key: Row | undefined

	constructor(code: ErrorCode, message: string, options: ErrorOptions & { key?: Row } = {}) {
		super(code, message, options)
		this.key = options.key
	}
}

/** Above all a SET DEFAULT whose default goes in the same batch. */
const heldHint =
	'A constraint of the tables keeps the rows, and nothing of the batch was deleted: delete what refers to them first.'

/** An error as the data that a failed run keeps. */
export function toFailure(error: unknown): Failure {
	if (error instanceof BatchFinding) return { ...failureOf(error), ...(error.key ? { key: error.key } : {}) }
	if (error instanceof ReprieveError) return failureOf(error)
	const { code, message } = error as { code?: string; message?: string }
	if (code?.startsWith('23')) return { code: 'CONFLICT', message: String(message), hint: heldHint }
	return { code: 'INTERNAL', message: code ? `${message} (SQLSTATE ${code})` : String(message ?? error) }
}

function failureOf(error: ReprieveError): Failure {
	return { code: error.code, message: error.message, ...(error.hint ? { hint: error.hint } : {}) }
}
