import { type Policy, type planCreateInput, ReprieveError } from '@reprieve/contracts'
import { policies } from '@reprieve/control'
import { and, desc, eq } from 'drizzle-orm'
import type { z } from 'zod'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'

export type ResolvedPolicy = { policy: Policy; name?: string; version?: number }

/** A policy as given, or the named one: its newest version unless one is asked for. Throws NOT_FOUND or FORBIDDEN. */
export async function resolvePolicy(
	services: Services,
	principal: Principal,
	input: z.infer<typeof planCreateInput>['policy'],
): Promise<ResolvedPolicy> {
	if ('kind' in input) return { policy: input }
	const { name, version, policy } = await readPolicy(services, principal, input)
	return { name, version, policy }
}

/** Reads a named policy. Throws NOT_FOUND or FORBIDDEN. */
export async function readPolicy(
	services: Services,
	principal: Principal,
	{ name, version }: { name: string; version?: number },
): Promise<typeof policies.$inferSelect> {
	const [row] = await services.control.db
		.select()
		.from(policies)
		.where(and(eq(policies.name, name), version === undefined ? undefined : eq(policies.version, version)))
		.orderBy(desc(policies.version))
		.limit(1)
	if (!row) {
		const which = version === undefined ? `policy ${name}` : `version ${version} of policy ${name}`
		throw new ReprieveError('NOT_FOUND', `there is no ${which}`, { hint: 'List the policies.' })
	}
	requireTables(principal, [row.policy.table])
	return row
}
