import type { Finding, Selection } from '@reprieve/contracts'
import { arrayLiteral } from '@reprieve/postgres'
import type { Services } from '../context.ts'

type Gap = { table: string | null; since: string | null; until: string | null; reason: string }

/**
 * Capture gaps that the selection may reach into. A run, a transaction and single changes name what the archive has, so
 * only what is searched by key, predicate or time can miss something.
 */
export async function readGaps(services: Services, selection: Selection, tables: string[]): Promise<Finding[]> {
	if (!('table' in selection) && !('from' in selection)) return []
	const from = 'from' in selection ? (selection.from ?? null) : null
	const to = 'to' in selection ? (selection.to ?? null) : null
	const isOfAll = !('table' in selection)
	const gaps = await services.control.sql<Gap[]>`
		select "table", since::text as since, until::text as until, reason from reprieve.capture_gaps
		where (${isOfAll}::text::bool or "table" is null or "table" = any(${arrayLiteral(tables)}::text::text[]))
			and (${to}::text::timestamptz is null or since is null or since < ${to}::text::timestamptz)
			and (${from}::text::timestamptz is null or until is null or until >= ${from}::text::timestamptz)
		order by recorded_at`
	return gaps.map((gap) => ({
		code: 'captureGap',
		...(gap.table ? { table: gap.table } : {}),
		message: `nothing was archived from ${gap.since ?? 'the beginning'} to ${gap.until ?? 'now'}: ${gap.reason}`,
		remedy: 'Rows deleted in the gap are not in the archive; look for them in a backup.',
	}))
}
