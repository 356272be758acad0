import { createHash } from 'node:crypto'
import { type CaptureIncident, type ErrorCode, formatLsn, ReprieveError } from '@reprieve/contracts'

/** Makes an incident whose id follows from what happened where. */
export function makeIncident(incident: Omit<CaptureIncident, 'id'>): CaptureIncident {
	const place = incident.position === undefined ? incident.message : formatLsn(incident.position)
	const id = createHash('sha256')
		.update(`${incident.code}\n${incident.table ?? ''}\n${place}`)
		.digest('hex')
		.slice(0, 32)
	return { id, ...incident }
}

/** Stops capture; carries the incident that is recorded before. */
export class CaptureStopped extends ReprieveError {
	readonly incident: CaptureIncident

	constructor(code: ErrorCode, incident: Omit<CaptureIncident, 'id' | 'stopsCapture'>, cause?: unknown) {
		super(code, incident.message, { hint: incident.remedy, cause })
		this.incident = makeIncident({ ...incident, stopsCapture: true })
	}
}

/** The remedy of whatever a lineage does not survive. */
export const adoptRemedy =
	'Make sure that this is the database you mean, stop reprieve, and run `pnpm start --adopt` (`pnpm --filter @reprieve/sidecar start adopt` where capture runs apart): it records the gap and opens a new lineage.'

/** The remedy of a lineage that capture cannot continue. To adopt beside an absent vault leaves behind all that it holds. */
export function lineageRemedy(code: string): string {
	if (code !== 'VAULT_UNKNOWN') return adoptRemedy
	return `Make sure that REPRIEVE_VAULT names the vault of this database and that its folder is mounted, and start again. Where that vault is lost: ${adoptRemedy}`
}

/** A transaction that is delivered again is not the one that the vault has at its position. */
export function changedTransaction(transaction: { position: bigint; xid: number }, table?: string): CaptureStopped {
	const { position, xid } = transaction
	return new CaptureStopped('CONFLICT', {
		code: 'TRANSACTION_CHANGED',
		message: `the log has transaction ${xid} at ${formatLsn(position)}, the vault another one${table ? ` (in ${table})` : ''}`,
		remedy: adoptRemedy,
		table,
		position,
	})
}
