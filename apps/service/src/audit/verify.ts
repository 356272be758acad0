import type { auditVerifyOutput } from '@reprieve/contracts'
import { audit } from '@reprieve/control'
import { asc, gt } from 'drizzle-orm'
import type { z } from 'zod'
import type { Services } from '../context.ts'
import { hashEntry } from './chain.ts'
import { readCheckpoints } from './checkpoint.ts'

type Verified = z.infer<typeof auditVerifyOutput>

const chunkRows = 2000

/**
 * Recomputes every entry's hash and compares with the vault's checkpoints; `brokenAt` is the first entry that was changed,
 * removed or put in between. A database restored from a backup lacks its newest entries, and is found as well.
 */
export async function verifyAudit(services: Services): Promise<Verified> {
	const checkpoints = await readCheckpoints(services)
	const newest = [...checkpoints.keys()].reduce((a, b) => (a > b ? a : b), 0n)
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
			const isChained = row.seq === expected.seq && row.previous === expected.previous && row.hash === hashEntry(row)
			if (!isChained || (checkpoints.get(row.seq) ?? row.hash) !== row.hash) {
				return { entries: Number(head.seq), intact: false, brokenAt: String(expected.seq) }
			}
			head = row
		}
		if (rows.length < chunkRows) {
			const cut = newest > head.seq ? { intact: false, brokenAt: String(head.seq + 1n) } : { intact: true }
			return { entries: Number(head.seq), ...cut }
		}
	}
}
