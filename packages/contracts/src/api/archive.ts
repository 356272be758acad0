import { z } from 'zod'
import { where } from '../policy.ts'
import { id, instant, instantInput, page, row, tableText } from './common.ts'

export const change = z
	.object({
		id,
		op: z.enum(['delete', 'relink', 'move', 'overwrite']),
		table: z.string(),
		key: row,
		row,
		transaction: z.string(),
		committedAt: instant,
		run: z.string().optional(),
		/** The restore that overwrote or relinked the row. */
		restore: z.string().optional(),
		actor: z.string().optional(),
		reason: z.string().optional(),
		/** True when actor and reason are an application's own, unsigned claim. */
		claimed: z.boolean().optional(),
		/** True when a promotion has undone it: the primary that goes on never had its transaction. */
		undone: z.boolean().optional(),
	})
	.meta({ id: 'Change' })
export type Change = z.infer<typeof change>

export const changesInput = z.strictObject({
	table: tableText.optional(),
	key: row.optional(),
	run: id.optional(),
	transaction: id.optional(),
	from: instantInput.optional(),
	to: instantInput.optional(),
	where: where.optional(),
	...page,
})
export type ChangesInput = z.infer<typeof changesInput>
export const changesOutput = z.object({ items: z.array(change), next: z.string().optional() })

export const barrierInput = z.strictObject({ timeoutMs: z.int().min(1).max(600_000).optional() })
export const barrierOutput = z.object({ position: z.string(), waitedMs: z.number() })
