import { type SQL, sql } from 'drizzle-orm'
import type { Services } from '../context.ts'

/** Held until the transaction ends by who makes a plan (its id is the parameter): who can take it knows that nobody is at it. */
export const livenessLock = `select pg_advisory_xact_lock(hashtext('reprieve.plan'), hashtext($1::text))`

/** The same for a transaction of the control schema. */
export function lockLiveness(id: string): SQL {
	return sql`select pg_advisory_xact_lock(hashtext('reprieve.plan'), hashtext(${id}::text))`
}

/** Whether somebody makes the plan at this moment. */
export async function isWorkedAt(services: Services, id: string): Promise<boolean> {
	return await services.pools.plan.begin(async (tx) => {
		const [row] = await tx.unsafe<{ taken: boolean }[]>(
			`select pg_try_advisory_xact_lock(hashtext('reprieve.plan'), hashtext($1::text)) as taken`,
			[id],
		)
		return row?.taken !== true
	})
}
