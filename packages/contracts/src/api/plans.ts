import { z } from 'zod'
import { policy } from '../policy.ts'
import { failure, finding, id, idempotencyKey, instant, page, reasonText, row, wait } from './common.ts'

export const policyName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/)
/** A version is an int4. */
const policyVersion = z.int().min(1).max(2_147_483_647)
export const policyReference = z.strictObject({ name: policyName, version: policyVersion.optional() })

export const planStatus = z.enum([
	'planning',
	'ready',
	'awaitingApproval',
	'approved',
	'used',
	'expired',
	'discarded',
	'failed',
])
export type PlanStatus = z.infer<typeof planStatus>

export const dependent = z
	.object({ table: z.string(), action: z.enum(['delete', 'setNull', 'setDefault']), rows: z.number() })
	.meta({ id: 'Dependent' })

export const plan = z
	.object({
		id,
		hash: z.string(),
		status: planStatus,
		table: z.string(),
		policy,
		policyName: z.string().optional(),
		policyVersion: z.number().optional(),
		reason: z.string().optional(),
		author: z.string(),
		rows: z.number(),
		dependents: z.array(dependent),
		/** Rows left out because children hold them. */
		blocked: z.number(),
		sample: z.array(row),
		findings: z.array(finding),
		createdAt: instant,
		expiresAt: instant,
		estimate: z.object({ seconds: z.number(), bytes: z.number() }),
		approvals: z.array(z.object({ principal: z.string(), at: instant })),
		runId: z.string().optional(),
		failure: failure.optional(),
	})
	.meta({ id: 'Plan' })
export type Plan = z.infer<typeof plan>

export const planCreateInput = z.strictObject({
	policy: z.union([policy, policyReference]),
	reason: reasonText.optional(),
	idempotencyKey,
})
export const planGetInput = z.strictObject({ id, wait })
export const planListInput = z.strictObject({ ...page, status: planStatus.optional() })
export const planListOutput = z.object({ items: z.array(plan), next: z.string().optional() })
export const planRowsInput = z.strictObject({ id, ...page })
export const planRow = z.object({
	table: z.string(),
	key: row,
	action: z.enum(['delete', 'setNull', 'setDefault']),
	/** The row kept, for a duplicate. */
	keeper: row.optional(),
})
export const planRowsOutput = z.object({ items: z.array(planRow), next: z.string().optional() })
export const planApproveInput = z.strictObject({ id, hash: z.string().max(200), idempotencyKey })
export const planDiscardInput = z.strictObject({ id, idempotencyKey })

export const policyItem = z
	.object({ name: z.string(), version: z.number(), policy, createdAt: instant, author: z.string() })
	.meta({ id: 'NamedPolicy' })
export const policyPutInput = z.strictObject({ name: policyName, policy, idempotencyKey })
export const policyGetInput = z.strictObject({ name: policyName, version: policyVersion.optional() })
export const policyListInput = z.strictObject({ ...page })
export const policyListOutput = z.object({ items: z.array(policyItem), next: z.string().optional() })
