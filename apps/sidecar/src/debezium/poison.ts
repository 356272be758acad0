import { CaptureStopped } from '../incident.ts'

/** A record that is no event of the connector: anybody who may write to its topics can have put it there. */
export function poison(lane: string, offset: bigint, cause: unknown): CaptureStopped {
	return new CaptureStopped(
		'CAPTURE_GAP',
		{
			code: 'POISON_RECORD',
			message: `record ${lane}:${offset} (topic, partition, offset) cannot be taken: ${(cause as Error).message}`,
			remedy: `Find out who wrote it. To leave it out, start the archiver with REPRIEVE_KAFKA_SKIP=${lane}:${offset}; a transaction that lacks it stops the archiver still.`,
		},
		cause,
	)
}
