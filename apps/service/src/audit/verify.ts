import type { auditVerifyOutput } from '@reprieve/contracts'
import { audit } from '@reprieve/control'
import { asc, gt } from 'drizzle-orm'
import type { z } from 'zod'
import type { Services } from '../context.ts'
import { hashEntry } from './chain.ts'

type Verified = z.infer<typeof auditVerifyOutput>

const chunkRows = 2000

/** Recomputes every entry's hash; `brokenAt` is the first entry that was changed, removed or put in between. */
export async function verifyAudit(services: Services): Promise<Verified> {
	let head = { seq: 0n, hash: '' }
	for (;;) {
		const rows = await services.control.db
			.select()
			.from(audit)
			.where(gt(audit.seq, head.seq))
			.orderBy(asc(audit.seq))
			.limit(chunkRows)
		for (const row of rows) {
			const expected = { seq: head.seq + 1n, previous: head.hash }
			if (row.seq !== expected.seq || row.previous !== expected.previous || row.hash !== hashEntry(row)) {
				return { entries: Number(head.seq), intact: false, brokenAt: String(expected.seq) }
			}
			head = row
		}
		if (rows.length < chunkRows) return { entries: Number(head.seq), intact: true }
	}
}
