import { z } from 'zod'
import { finding, id, idempotencyKey, instant, page, tableText, wait } from './common.ts'

export const restorability = z
	.object({ status: z.enum(['ready', 'pending', 'closed']), findings: z.array(finding) })
	.meta({ id: 'Restorability' })
export type Restorability = z.infer<typeof restorability>

export const captureGap = z
	.object({
		id,
		table: z.string().optional(),
		from: z.string().optional(),
		to: z.string().optional(),
		since: instant.optional(),
		until: instant.optional(),
		reason: z.string(),
	})
	.meta({ id: 'CaptureGap' })
export type CaptureGap = z.infer<typeof captureGap>

export const protectInput = z.strictObject({
	tables: z.array(tableText).min(1).max(1000),
	truncate: z.enum(['refuse', 'archive']).optional(),
	/** Codes of findings that the operator accepts by name (`userTrigger:schema.table.name`). */
	acknowledge: z.array(z.string().max(400)).max(1000).optional(),
	/** List what would change and change nothing. */
	dryRun: z.boolean().optional(),
	wait,
	idempotencyKey,
})
export const protectOutput = z.object({
	tables: z.array(
		z.object({
			table: z.string(),
			restorability,
			/** The statements and refusals that protecting brings, in order. */
			changes: z.array(z.string()).optional(),
		}),
	),
})
export const unprotectInput = z.strictObject({ tables: z.array(tableText).min(1).max(1000), idempotencyKey })

export const tableItem = z
	.object({
		table: z.string(),
		restorability,
		protectedSince: instant.optional(),
		gaps: z.array(captureGap),
		archivedRows: z.number(),
	})
	.meta({ id: 'Table' })
export type TableItem = z.infer<typeof tableItem>
export const tableGetInput = z.strictObject({ table: tableText })
export const tableListInput = z.strictObject({ ...page })
export const tableListOutput = z.object({ items: z.array(tableItem), next: z.string().optional() })
