import { z } from 'zod'
import { policyFields } from '../policy.ts'
import { failure, id, idempotencyKey, instant, jobStatus, page, reasonText, row, wait } from './common.ts'
import { plan } from './plans.ts'

/** Why a job does not go on at this moment. */
export const waiting = z.object({ reason: z.string(), reading: z.number(), limit: z.number() }).meta({ id: 'Waiting' })
export type Waiting = z.infer<typeof waiting>

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'not a time of day (22:30)')

/** When a run may begin a batch; over midnight where `to` is before `from`. */
export const runWindow = z
	.strictObject({
		from: timeOfDay,
		to: timeOfDay,
		/** By the tz database. Default UTC. */
		timeZone: z.string().max(100).refine(isTimeZone, 'not a time zone (Europe/Berlin)').optional(),
	})
	.refine(({ from, to }) => from !== to, 'from and to are the same time')
export type RunWindow = z.infer<typeof runWindow>

/** What a run leaves to others; each unlimited where it is not named. */
export const runThrottle = z
	.strictObject({
		/** Rows that the run deletes a second at most, counted from the beginning of one batch to that of the next. */
		rowsPerSecond: z.int().min(1).max(10_000_000).optional(),
		/** Bytes of log that the whole cluster may write a second; the rest of a segment that is switched counts as written. */
		logBytesPerSecond: z.int().min(65_536).max(1e12).optional(),
		/** No batch begins while a vacuum or other upkeep holds one of the tables. Default false. */
		waitForVacuum: z.boolean().optional(),
		window: runWindow.optional(),
	})
	.meta({ id: 'RunThrottle' })
export type RunThrottle = z.infer<typeof runThrottle>

/** As a run tells it: read, not judged again. */
const throttleOfRun = z.object({
	rowsPerSecond: z.number().optional(),
	logBytesPerSecond: z.number().optional(),
	waitForVacuum: z.boolean().optional(),
	window: z.object({ from: z.string(), to: z.string(), timeZone: z.string().optional() }).optional(),
})

function isTimeZone(name: string): boolean {
	try {
		new Intl.DateTimeFormat('en', { timeZone: name })
		return true
	} catch {
		return false
	}
}

export const run = z
	.object({
		id,
		planId: id,
		status: jobStatus,
		table: z.string(),
		reason: z.string(),
		actor: z.string(),
		/** Rows, dependents included. */
		planned: z.number(),
		deleted: z.number(),
		relinked: z.number(),
		archived: z.number(),
		drifted: z.number(),
		collateral: z.number(),
		exposure: z.number(),
		batches: z.number(),
		throttle: throttleOfRun.optional(),
		waiting: waiting.optional(),
		/** 0 to 1. */
		progress: z.number(),
		rowsPerSecond: z.number().optional(),
		etaSeconds: z.number().optional(),
		createdAt: instant,
		startedAt: instant.optional(),
		finishedAt: instant.optional(),
		failure: failure.optional(),
	})
	.meta({ id: 'Run' })
export type Run = z.infer<typeof run>

export const runStartInput = z.strictObject({
	planId: id,
	reason: reasonText,
	batch: z
		.strictObject({ rows: z.int().min(1).max(100_000).optional(), targetMs: z.int().min(10).max(60_000).optional() })
		.optional(),
	exposure: z.strictObject({ rows: z.int().min(1).max(10_000_000).optional() }).optional(),
	throttle: runThrottle.optional(),
	idempotencyKey,
})
export const runGetInput = z.strictObject({ id, wait })
export const runListInput = z.strictObject({ ...page, status: jobStatus.optional() })
export const runListOutput = z.object({ items: z.array(run), next: z.string().optional() })
export const jobCommandInput = z.strictObject({ id, idempotencyKey })
export const runWatchInput = z.strictObject({ id, lastEventId: z.string().optional() })
export const driftedInput = z.strictObject({ id, ...page })
export const driftedOutput = z.object({
	items: z.array(z.object({ table: z.string(), key: row, why: z.string() })),
	next: z.string().optional(),
})

const oneCall = { reason: reasonText.optional(), dryRun: z.boolean().optional(), idempotencyKey }
/** Inputs of POST /api/cleanup/{kind}. */
export const cleanupInput = {
	duplicates: policyFields.duplicates.extend(oneCall),
	stale: policyFields.stale.extend(oneCall),
	orphans: policyFields.orphans.extend(oneCall),
	incomplete: policyFields.incomplete.extend(oneCall),
	match: policyFields.match.extend(oneCall),
} as const
/** A plan when dryRun, else a run. */
export const cleanupOutput = z.union([run, plan])
