import type { Restore, restoreListInput } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'
import { readRestores, toRestore } from './read.ts'

/** Restores of tables that the principal may see, newest first. */
export async function listRestores(
	services: Services,
	principal: Principal,
	input: z.infer<typeof restoreListInput>,
): Promise<{ items: Restore[]; next?: string }> {
	const limit = input.limit ?? 100
	const cursor = readCursor(input.cursor, /^\d{1,20}\.[0-9a-f-]{1,100}$/)
	const [micros = '', id = ''] = cursor?.split('.') ?? []
	const rows = await readRestores(services, {
		status: input.status,
		tables: principal.tables,
		limit: limit + 1,
		...(cursor && { after: { micros, id } }),
	})
	const page = toPage(rows, limit, (row) => `${row.created}.${row.id}`)
	return { ...page, items: page.items.map(toRestore) }
}
