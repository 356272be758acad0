import { z } from 'zod'
import { where } from '../policy.ts'
import {
	failure,
	finding,
	id,
	idempotencyKey,
	instant,
	instantInput,
	jobStatus,
	page,
	reasonText,
	row,
	tableText,
	wait,
} from './common.ts'
import { waiting } from './runs.ts'

export const selection = z
	.union([
		z.strictObject({ run: id }),
		z.strictObject({ transaction: id }),
		z.strictObject({ changes: z.array(id).min(1).max(10_000) }),
		/** Everything that was deleted in a range of time, in all tables. */
		z.strictObject({ from: instant, to: instant.optional() }),
		z.strictObject({ table: tableText, keys: z.array(row).min(1).max(10_000) }),
		z.strictObject({
			table: tableText,
			where: where.optional(),
			from: instantInput.optional(),
			to: instantInput.optional(),
		}),
	])
	.meta({ id: 'Selection' })
export type Selection = z.infer<typeof selection>

const restoreOptions = {
	selection,
	conflict: z.enum(['stop', 'skip', 'overwrite']).optional(),
	triggers: z.enum(['suppress', 'fire']).optional(),
	/** Per table: archived column -> live column. */
	rename: z.record(z.string(), z.record(z.string(), z.string())).optional(),
	/** Bring back missing parents from the archive too. */
	parents: z.boolean().optional(),
}
export const previewInput = z.strictObject(restoreOptions)
export type PreviewInput = z.infer<typeof previewInput>

export const previewTable = z
	.object({
		table: z.string(),
		rows: z.number(),
		missing: z.number(),
		same: z.number(),
		different: z.number(),
		taken: z.number(),
		superseded: z.number(),
		relinks: z.number(),
		/** Up to ten conflicting rows: what the archive has and what lives now. */
		sample: z.array(z.object({ key: row, archived: row, live: row.optional(), state: z.string() })),
	})
	.meta({ id: 'PreviewTable' })
export const preview = z
	.object({
		tables: z.array(previewTable),
		/** Parents that are missing in the database; offered from the archive where `archived`. */
		parents: z.array(z.object({ table: z.string(), key: row, archived: z.boolean() })),
		findings: z.array(finding),
		/** False: the range holds a capture gap or the archive lags. */
		complete: z.boolean(),
		hash: z.string(),
	})
	.meta({ id: 'Preview' })
export type Preview = z.infer<typeof preview>

export const restoreStartInput = z.strictObject({
	...restoreOptions,
	hash: z.string().max(200),
	reason: reasonText,
	idempotencyKey,
})

export const restore = z
	.object({
		id,
		status: jobStatus,
		reason: z.string(),
		actor: z.string(),
		selected: z.number(),
		restored: z.number(),
		identical: z.number(),
		skipped: z.number(),
		conflicts: z.number(),
		relinked: z.number(),
		verified: z.number(),
		/** 0 to 1. */
		progress: z.number(),
		waiting: waiting.optional(),
		etaSeconds: z.number().optional(),
		createdAt: instant,
		startedAt: instant.optional(),
		finishedAt: instant.optional(),
		undoPlanId: z.string().optional(),
		failure: failure.optional(),
	})
	.meta({ id: 'Restore' })
export type Restore = z.infer<typeof restore>
export const restoreGetInput = z.strictObject({ id, wait })
export const restoreListInput = z.strictObject({ ...page, status: jobStatus.optional() })
export const restoreListOutput = z.object({ items: z.array(restore), next: z.string().optional() })
export const reportInput = z.strictObject({ id, ...page })
export const reportOutput = z.object({
	restore,
	tables: z.array(
		z.object({
			table: z.string(),
			selected: z.number(),
			restored: z.number(),
			identical: z.number(),
			skipped: z.number(),
			relinked: z.number(),
			verified: z.number(),
		}),
	),
	/** Every row that is not as it was, with why. */
	items: z.array(z.object({ table: z.string(), key: row, state: z.string(), message: z.string() })),
	next: z.string().optional(),
})
export const undoOutput = z.object({ planId: id, runId: id.optional() })
