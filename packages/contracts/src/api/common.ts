import { z } from 'zod'
import { exactNumber } from '../policy.ts'

export const id = z.string().min(1).max(100)
export const tableText = z.string().min(1).max(300)
export const reasonText = z.string().min(1).max(1000)
export const idempotencyKey = z.string().min(1).max(200).optional()
/** RFC 3339 with microseconds, UTC. */
export const instant = z.string()
/** What a caller writes for one. */
export const instantInput = z
	.string()
	.regex(
		/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/,
		'not an RFC 3339 instant (2026-01-31T12:00:00Z)',
	)
/** Seconds that a GET may wait for a final status. */
export const wait = z.number().min(0).max(60).optional()
export const page = { limit: z.int().min(1).max(1000).optional(), cursor: z.string().max(2000).optional() }

/** A cell as JSON: boolean, int2 and int4 natively, NULL as null, everything else PostgreSQL text. */
export const cell = z.union([z.string(), exactNumber, z.boolean(), z.null()])
export const row = z.record(z.string(), cell)
export type Cell = z.infer<typeof cell>
export type Row = z.infer<typeof row>

export const finding = z
	.object({
		/** Stable lower-camel identifier, for example `noKey`. */
		code: z.string(),
		/** Table concerned when it is not the one asked about. */
		table: z.string().optional(),
		message: z.string(),
		remedy: z.string(),
	})
	.meta({ id: 'Finding' })
export type Finding = z.infer<typeof finding>

export const jobStatuses = [
	'queued',
	'running',
	'pausing',
	'paused',
	'cancelling',
	'cancelled',
	'succeeded',
	'failed',
] as const
export const jobStatus = z.enum(jobStatuses)
export type JobStatus = z.infer<typeof jobStatus>

/** What ended a job, as data. */
export const failure = z
	.object({ code: z.string(), message: z.string(), hint: z.string().optional(), key: row.optional() })
	.meta({ id: 'Failure' })
export type Failure = z.infer<typeof failure>
