import { formatLsn, parseLsn, ReprieveError } from '@reprieve/contracts'
import { adoptRemedy, CaptureStopped } from '../incident.ts'

/** Errors of the server's decoding that would come again for ever; a server short of memory (53200) is not among them. */
const undecodable = new Set(['54000', 'XX000', '22021', '22P05'])
const duringDecoding =
	/invalid memory alloc request size|out of memory|string buffer exceeds|invalid byte sequence|has no equivalent in encoding/

/** Classes of errors that need not come again: connection, rollback, resources, state, operator, system. */
const passing = /^(08|40|53|55|57|58)/

/** Whether a server's error would come again for the same values. */
export function isLasting(error: unknown): boolean {
	const { code } = error as { code?: unknown }
	return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !passing.test(code)
}

/** Ends a life of capture whose stream is to be opened again at once: in binary up to the transaction of a change, or as text. */
export class ReadAgain extends ReprieveError {
	/** The change that the server cannot write as text; undefined: the stream is text again. */
	readonly unreadable: bigint | undefined

	constructor(unreadable?: bigint, cause?: unknown) {
		const form = unreadable === undefined ? 'as text' : `in binary for the change at ${formatLsn(unreadable)}`
		super('UNAVAILABLE', `the stream is read again ${form}`, { retryable: true, cause })
		this.unreadable = unreadable
	}
}

/**
 * What a broken stream means: a transaction that the server cannot write as text (a value beyond 1 GB) is read again in
 * binary; where that breaks too capture stops, since it would be retried for ever; anything else is handed on.
 */
export function streamFailure(error: unknown, stream: { received?: bigint; unreadable?: bigint }): unknown {
	const { code, message, where } = error as { code?: string; message?: string; where?: string }
	const change = /associated LSN ([0-9A-F]+\/[0-9A-F]+)/.exec(where ?? '')?.[1]
	const isTooLong = undecodable.has(code ?? '') && duringDecoding.test(message ?? '')
	if (stream.unreadable === undefined) {
		return isTooLong ? new ReadAgain(change ? parseLsn(change) : (stream.received ?? 0n), error) : error
	}
	// Not every type has a binary form (42883), and an array of such a one breaks the stream.
	if (!isTooLong && !((change || code === '42883') && isLasting(error))) return error
	return undecodableAt(change ? parseLsn(change) : stream.unreadable, error)
}

/** Stops capture at a change whose values can be read neither as text nor in binary: the same incident, however often it comes to it. */
export function undecodableAt(position: bigint | undefined, error: unknown): CaptureStopped {
	const { message, where } = error as { message?: string; where?: string }
	const place = position === undefined ? '' : ` at ${formatLsn(position)}`
	return new CaptureStopped(
		'CAPTURE_GAP',
		{
			code: 'UNDECODABLE',
			message: `the server cannot decode a transaction${place}: ${message}${where ? ` (${where})` : ''}`,
			remedy: `See docs/how-to/undecodable.md: find the row, and take it from a backup if it is needed. ${adoptRemedy}`,
			position,
		},
		error,
	)
}
