import { formatLsn, parseLsn } from '@reprieve/contracts'
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
	const change = /associated LSN ([0-9A-F]+\/[0-9A-F]+)/.exec(where ?? '')?.[1]
	const place = change ? ` at ${change}` : received === undefined ? '' : ` behind ${formatLsn(received)}`
	return new CaptureStopped(
		'CAPTURE_GAP',
		{
			code: 'UNDECODABLE',
			message: `the server cannot decode a transaction${place}: ${message}${where ? ` (${where})` : ''}`,
			remedy: `See docs/how-to/undecodable.md: find the row, and take it from a backup if it is needed. ${adoptRemedy}`,
			// The same change is the same incident, however often capture comes to it.
			position: change ? parseLsn(change) : received,
		},
		error,
	)
}
