import type { auditListInput, auditListOutput } from '@reprieve/contracts'
import { audit } from '@reprieve/control'
import { and, desc, eq, lt } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'

/** Audit entries, newest first. */
export async function listAudit(
	services: Services,
	_principal: Principal,
	input: z.infer<typeof auditListInput>,
): Promise<z.infer<typeof auditListOutput>> {
	const limit = input.limit ?? 100
	const before = readCursor(input.cursor, /^\d{1,18}$/)
	const rows = await services.control.db
		.select()
		.from(audit)
		.where(and(input.act ? eq(audit.act, input.act) : undefined, before ? lt(audit.seq, BigInt(before)) : undefined))
		.orderBy(desc(audit.seq))
		.limit(limit + 1)
	return toPage(rows.map(toEntry), limit, (entry) => entry.seq)
}

function toEntry(row: typeof audit.$inferSelect): z.infer<typeof auditListOutput>['items'][number] {
	const { seq, target, detail, previous: _, ...rest } = row
	return { ...rest, seq: String(seq), target: target ?? undefined, detail: detail ?? undefined }
}
