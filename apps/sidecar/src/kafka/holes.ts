import { ReprieveError } from '@reprieve/contracts'
import { incidents } from '@reprieve/control'
import { and, eq, gt, isNull, sql } from 'drizzle-orm'
import type { SessionOptions } from '../session.ts'

/** Code of the incident by which an archiver asks for frames again. */
export const framesMissing = 'FRAMES_MISSING'

type Watch = (options: { everyMs: number; fail: (error: unknown) => void }) => NodeJS.Timeout

/**
 * Ends the session when an archiver asks for frames that did not reach it: the next one sends everything again from where
 * the slot stands. What was asked for before this call, the session answers already.
 */
export async function watchHoles({ control }: Pick<SessionOptions, 'control'>): Promise<Watch> {
	const [clock] = await control.sql<{ now: string }[]>`select clock_timestamp()::text as now`
	const isAsked = and(
		eq(incidents.code, framesMissing),
		isNull(incidents.resolvedAt),
		gt(incidents.at, sql`${clock?.now ?? ''}::timestamptz`),
	)
	return ({ everyMs, fail }) =>
		setInterval(() => {
			control.db
				.select({ message: incidents.message })
				.from(incidents)
				.where(isAsked)
				.limit(1)
				.then(([asked]) => {
					if (asked) fail(new ReprieveError('UNAVAILABLE', `sent again: ${asked.message}`, { retryable: true }))
				}, fail)
		}, everyMs)
}
