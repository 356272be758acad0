import { createHash } from 'node:crypto'
import type { policyItem, policyPutInput } from '@reprieve/contracts'
import { policies } from '@reprieve/control'
import { desc, eq, sql } from 'drizzle-orm'
import type { z } from 'zod'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { checkPolicy } from '../plans/check-policy.ts'

/**
 * Stores the next version of a named policy; the same content again answers the newest version unchanged. Throws
 * INVALID or NOT_FOUND when it does not fit the catalog, FORBIDDEN.
 */
export async function putPolicy(
	services: Services,
	principal: Principal,
	input: z.infer<typeof policyPutInput>,
): Promise<z.infer<typeof policyItem>> {
	requireTables(principal, [input.policy.table])
	await checkPolicy(services.pools.plan, input.policy)
	return await services.control.db.transaction(async (tx) => {
		await tx.execute(sql`select pg_advisory_xact_lock(hashtext('reprieve.policy'), hashtext(${input.name}))`)
		const [newest] = await tx
			.select()
			.from(policies)
			.where(eq(policies.name, input.name))
			.orderBy(desc(policies.version))
			.limit(1)
		if (newest) requireTables(principal, [newest.policy.table])
		if (newest && digest(newest.policy) === digest(input.policy)) return newest
		const createdAt = services.clock.now().toISOString()
		const row = {
			name: input.name,
			version: (newest?.version ?? 0) + 1,
			policy: input.policy,
			author: principal.id,
			createdAt,
		}
		await tx.insert(policies).values(row)
		return row
	})
}

/** Of a policy whatever the order of its fields: jsonb does not keep it. */
function digest(value: unknown): string {
	return createHash('sha256')
		.update(JSON.stringify(sorted(value)))
		.digest('hex')
}

function sorted(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(sorted)
	if (typeof value !== 'object' || value === null) return value
	const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
	return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]))
}
