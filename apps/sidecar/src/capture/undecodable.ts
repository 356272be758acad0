import { formatLsn } from '@reprieve/contracts'
import { adoptRemedy, CaptureStopped } from '../incident.ts'

/** Errors of the server's decoding that would come again for ever; a server short of memory (53200) is not among them. */
const undecodable = new Set(['54000', 'XX000', '22021', '22P05'])
const duringDecoding =
	/invalid memory alloc request size|out of memory|string buffer exceeds|invalid byte sequence|has no equivalent in encoding/

/**
 * What a broken stream means: a transaction that the server cannot write as text (a value beyond 1 GB) stops capture,
 * since it would be retried for ever; anything else is handed on.
 */
export function streamFailure(error: unknown, received: bigint | undefined): unknown {
	const { code, message, where } = error as { code?: string; message?: string; where?: string }
	if (!undecodable.has(code ?? '') || !duringDecoding.test(message ?? '')) return error
	const behind = received === undefined ? '' : ` behind ${formatLsn(received)}`
	return new CaptureStopped(
		'CAPTURE_GAP',
		{
			code: 'UNDECODABLE',
			message: `the server cannot decode a transaction${behind}: ${message}${where ? ` (${where})` : ''}`,
			remedy: `The value must be archived by hand. ${adoptRemedy}`,
			position: received,
		},
		error,
	)
}
