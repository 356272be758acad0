import type { Row, reportInput, reportOutput } from '@reprieve/contracts'
import type { z } from 'zod'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'
import { readRestore, toRestore } from './read.ts'

type ReportedRow = { n: string; table: string; key: Row; state: string; message: string }

/** Counts per table, and every row that is not as it was, with why. Throws NOT_FOUND and FORBIDDEN. */
export async function reportRestore(
	services: Services,
	principal: Principal,
	input: z.infer<typeof reportInput>,
): Promise<z.infer<typeof reportOutput>> {
	const row = await readRestore(services, input.id)
	const counts = Object.entries(row.report ?? {})
	requireTables(
		principal,
		counts.map(([table]) => table),
	)
	const limit = input.limit ?? 100
	const after = readCursor(input.cursor, /^\d{1,18}$/) ?? '-1'
	const rows = await services.control.sql<ReportedRow[]>`
		select n::text as n, "table", key, state, coalesce(message, state) as message from reprieve.restored_rows
		where restore_id = ${row.id} and n > ${after}::text::int8 and state not in ('restored', 'identical', 'relinked', 'overwritten')
		order by n limit ${limit + 1}`
	const page = toPage([...rows], limit, (item) => item.n)
	return {
		...page,
		items: page.items.map(({ n: _, ...item }) => item),
		restore: toRestore(row),
		tables: counts.map(([table, of]) => ({ table, ...of })),
	}
}
