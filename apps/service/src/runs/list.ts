import type { runListInput, runListOutput } from '@reprieve/contracts'
import { runs } from '@reprieve/control'
import { and, desc, eq, inArray, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'
import { toRun } from './show.ts'

/** Runs on tables that the principal may see, newest first. */
export async function listRuns(
	services: Services,
	principal: Principal,
	input: z.infer<typeof runListInput>,
): Promise<z.infer<typeof runListOutput>> {
	const limit = input.limit ?? 100
	const [at, id] = readCursor(input.cursor, /^[\d:.TZ-]{20,40} [\w-]{1,100}$/)?.split(' ') ?? []
	const rows = await services.control.db
		.select()
		.from(runs)
		.where(
			and(
				input.status ? eq(runs.status, input.status) : undefined,
				principal.tables ? inArray(runs.table, principal.tables) : undefined,
				at ? sql`(${runs.createdAt}, ${runs.id}) < (${at}::timestamptz, ${id})` : undefined,
			),
		)
		.orderBy(desc(runs.createdAt), desc(runs.id))
		.limit(limit + 1)
		.prepare('runs')
		.execute()
	return toPage(rows.map(toRun), limit, (run) => `${run.createdAt} ${run.id}`)
}
