import { z } from 'zod'
import { id, idempotencyKey, instant, page, reasonText, tableText } from './common.ts'

export const roles = ['viewer', 'operator', 'approver', 'admin'] as const
export const role = z.enum(roles)
export type Role = z.infer<typeof role>

export const incident = z
	.object({
		id,
		code: z.string(),
		message: z.string(),
		remedy: z.string(),
		table: z.string().optional(),
		position: z.string().optional(),
		/** Capture stands still until it is adopted; such an incident is not resolved by hand. */
		stopsCapture: z.boolean(),
		at: instant,
		resolvedAt: instant.optional(),
		resolvedBy: z.string().optional(),
	})
	.meta({ id: 'Incident' })
export type Incident = z.infer<typeof incident>

export const incidentListInput = z.strictObject({ ...page })
export const incidentListOutput = z.object({ items: z.array(incident), next: z.string().optional() })
/** `reason` says what was done about it; it goes into the audit. */
export const incidentResolveInput = z.strictObject({ id, reason: reasonText, idempotencyKey })

export const statusInput = z.strictObject({})
export const status = z
	.object({
		status: z.enum(['ok', 'degraded', 'stopped']),
		capture: z.object({
			state: z.enum(['streaming', 'starting', 'stopped']),
			slot: z.string(),
			lagBytes: z.number(),
			received: z.string().optional(),
			archived: z.string().optional(),
			acknowledged: z.string().optional(),
		}),
		archive: z.object({ lagMs: z.number(), exposure: z.number() }),
		incidents: z.array(incident),
		versions: z.object({ reprieve: z.string(), postgresql: z.string(), node: z.string() }),
	})
	.meta({ id: 'Status' })
export type Status = z.infer<typeof status>

export const token = z
	.object({
		id,
		name: z.string(),
		role,
		tables: z.array(z.string()).optional(),
		createdBy: z.string(),
		createdAt: instant,
		revokedAt: instant.optional(),
	})
	.meta({ id: 'Token' })
export const tokenCreateInput = z.strictObject({
	name: z.string().min(1).max(100),
	role,
	/** Tables that the key may act on; absent: all. */
	tables: z.array(tableText).max(1000).optional(),
	idempotencyKey,
})
/** The secret is shown once and never stored. */
export const tokenCreateOutput = token.extend({ secret: z.string() })
export const tokenListInput = z.strictObject({ ...page })
export const tokenListOutput = z.object({ items: z.array(token), next: z.string().optional() })
export const tokenRevokeInput = z.strictObject({ id, idempotencyKey })

export const auditEntry = z
	.object({
		seq: z.string(),
		at: instant,
		principal: z.string(),
		role: z.string(),
		act: z.string(),
		target: z.string().optional(),
		/** `asked` before a change, then `ok` or the error code of the refusal. */
		outcome: z.string(),
		requestId: z.string(),
		detail: z.record(z.string(), z.unknown()).optional(),
		hash: z.string(),
	})
	.meta({ id: 'AuditEntry' })
export const auditListInput = z.strictObject({ ...page, act: z.string().max(100).optional() })
export const auditListOutput = z.object({ items: z.array(auditEntry), next: z.string().optional() })
export const auditVerifyOutput = z.object({ entries: z.number(), intact: z.boolean(), brokenAt: z.string().optional() })

export const verifyInput = z.strictObject({ table: tableText.optional() })
/** Objects of the vault read and compared with their digests. */
export const verifyOutput = z.object({
	objects: z.number(),
	bytes: z.number(),
	bad: z.array(z.object({ object: z.string(), message: z.string() })),
})
