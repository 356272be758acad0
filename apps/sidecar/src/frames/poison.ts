import { type Frame, frameTopic, PoisonRecord, transactionsTopic } from '@reprieve/cdc'
import type { CaptureIncident } from '@reprieve/contracts'
import { makeIncident } from '../incident.ts'
import { framesMissing } from '../kafka/holes.ts'
import type { Lane } from './brokers.ts'
import type { Epoch } from './lineage.ts'

/** What a whole, signed frame is to an archiver that found it in a lane. */
export type Belonging =
	| 'ours'
	/** Of an epoch that is over, or of a lineage that was left: in the vault, or in a recorded gap. */
	| 'past'
	/** Of an epoch that the archiver does not know yet. */
	| 'ahead'
	/** Of another database, topic or partition. */
	| { poison: string }

/** Compares what a frame says of itself with where it was read. Pure. */
export function judgeBelonging(
	{ header, ...frame }: Frame,
	found: Lane & { database: string; epoch: Epoch; closed: ReadonlySet<string> },
): Belonging {
	const { database, topic, partition, epoch } = found
	if (header.database !== database)
		return { poison: `it is of database ${header.database}, this archive is of ${database}` }
	if (header.topic !== topic || header.partition !== partition) {
		return { poison: `it was sent to ${header.topic}:${header.partition}, it lies in ${topic}:${partition}` }
	}
	const own = frame.kind === 'rows' ? frameTopic(epoch.prefix, frame.rows.table) : transactionsTopic(epoch.prefix)
	if (own !== topic) return { poison: `a frame of its table belongs into ${own}, it lies in ${topic}` }
	if (header.lineage !== epoch.lineage.id) {
		if (found.closed.has(header.lineage)) return 'past'
		return { poison: `it is of lineage ${header.lineage}, this archive continues ${epoch.lineage.id}` }
	}
	if (header.epoch === epoch.epoch) return 'ours'
	return header.epoch < epoch.epoch ? 'past' : 'ahead'
}

/** Code of the incident of a record at which reading stops. */
export const poisonCode = 'POISON_RECORD'

/** How that incident names the record; without an offset, how the names of all of a lane begin. */
export function poisonPlace({ topic, partition }: Lane, offset?: bigint): string {
	return `${topic}, partition ${partition}, offset ${offset ?? ''}`
}

/** Makes the incident of a record from which no frame can be read. */
export function poisonIncident(
	lane: Lane,
	offset: bigint,
	{ table, why }: { table?: string; why: string },
): CaptureIncident {
	return makeIncident({
		code: poisonCode,
		message: `${poisonPlace(lane, offset)} is no frame to archive: ${why}`,
		remedy: `Find out who wrote it. Then \`pnpm --filter @reprieve/sidecar start park --topic ${lane.topic} --partition ${lane.partition} --offset ${offset} --reason TEXT\` puts it aside, and reading goes on behind it (docs/how-to/poison.md).`,
		table,
		stopsCapture: false,
	})
}

/** Why a record is none of ours. Throws what says nothing of the record. */
export function whyOf(error: unknown): string {
	if (error instanceof PoisonRecord) return `${error.message} (${error.reason})`
	throw error
}

/** Makes the incident of a partition that lacks frames; its id is the same whatever it lacks, and whoever tells of it. */
export function missingIncident({ topic, partition }: Lane, table?: string): CaptureIncident {
	const incident = makeIncident({
		code: framesMissing,
		message: `${topic}, partition ${partition} lacks frames that capture sent: what comes next does not follow what was archived`,
		remedy:
			'Capture starts anew and sends them again, then this resolves itself. Find out who deleted topics or records. If it stays, see that capture runs.',
		stopsCapture: false,
	})
	return { ...incident, table }
}
