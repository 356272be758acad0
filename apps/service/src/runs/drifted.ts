import type { driftedInput, driftedOutput } from '@reprieve/contracts'
import { driftedRows } from '@reprieve/control'
import { and, asc, eq, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'
import { readRun } from './show.ts'

/** Planned rows that a run left alone, each with why, in the order of its batches. Throws NOT_FOUND. */
export async function listDrifted(
	services: Services,
	principal: Principal,
	input: z.infer<typeof driftedInput>,
): Promise<z.infer<typeof driftedOutput>> {
	await readRun(services, principal, input.id)
	const limit = input.limit ?? 100
	const after = readCursor(input.cursor, /^\d{1,9}-\d{1,9}$/)
		?.split('-')
		.map(Number)
	const rows = await services.control.db
		.select()
		.from(driftedRows)
		.where(
			and(
				eq(driftedRows.runId, input.id),
				after ? sql`(${driftedRows.batch}, ${driftedRows.n}) > (${after[0]}::int4, ${after[1]}::int4)` : undefined,
			),
		)
		.orderBy(asc(driftedRows.batch), asc(driftedRows.n))
		.limit(limit + 1)
	const page = toPage(rows, limit, (row) => `${row.batch}-${row.n}`)
	return { ...page, items: page.items.map(({ table, key, why }) => ({ table, key, why })) }
}
