import { answer, type Raw } from './connect.ts'
import type { Barrier, Change, ChangesQuery } from './contract.ts'

/** What was archived: each change with who, why and when. */
export type Archive = {
	/** Every change that matches, page after page as it is read. */
	changes(query?: ChangesQuery): AsyncIterable<Change>
	/** One page. */
	page(query?: ChangesQuery): Promise<{ items: Change[]; next?: string }>
	/** Resolves when everything committed before the call is restorable, else throws ARCHIVE_LAGGING. */
	barrier(options?: { timeoutMs?: number }): Promise<Barrier>
}

/** The archive's calls over a raw client. */
export function archiveOf(trpc: Raw): Archive {
	const page: Archive['page'] = (query = {}) => answer(trpc.archive.changes.query(query))
	return {
		page,
		changes: (query = {}) => everyChange(page, query),
		barrier: (options = {}) => answer(trpc.archive.barrier.mutate(options)),
	}
}

async function* everyChange(page: Archive['page'], query: ChangesQuery): AsyncGenerator<Change> {
	for (let cursor = query.cursor; ; ) {
		const { items, next } = await page({ ...query, cursor })
		yield* items
		if (next === undefined) return
		cursor = next
	}
}
