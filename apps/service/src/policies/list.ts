import type { policyListInput, policyListOutput } from '@reprieve/contracts'
import { policies } from '@reprieve/control'
import { and, asc, gt, inArray, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'

/** The newest version of each named policy on tables that the principal may see, by name. */
export async function listPolicies(
	services: Services,
	principal: Principal,
	input: z.infer<typeof policyListInput>,
): Promise<z.infer<typeof policyListOutput>> {
	const limit = input.limit ?? 100
	const after = readCursor(input.cursor, /^[a-z0-9._-]{1,100}$/)
	const rows = await services.control.db
		.select()
		.from(policies)
		.where(
			and(
				sql`${policies.version} = (select max(p.version) from reprieve.policies p where p.name = ${policies.name})`,
				principal.tables ? inArray(sql`${policies.policy} ->> 'table'`, principal.tables) : undefined,
				after ? gt(policies.name, after) : undefined,
			),
		)
		.orderBy(asc(policies.name))
		.limit(limit + 1)
	return toPage(rows, limit, (row) => row.name)
}
