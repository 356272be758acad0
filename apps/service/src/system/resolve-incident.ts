import { type Incident, type incidentResolveInput, ReprieveError } from '@reprieve/contracts'
import { incidents } from '@reprieve/control'
import { eq, sql } from 'drizzle-orm'
import type { z } from 'zod'
import { requireAllTables, requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { toIncident } from './incidents.ts'

/**
 * Says that an incident was dealt with, so that the gate opens again; a capture gap stays on record. Resolving it again
 * changes nothing. Throws NOT_FOUND, and CONFLICT for an incident that stopped capture: only adopting resolves that.
 */
export async function resolveIncident(
	services: Services,
	principal: Principal,
	input: z.infer<typeof incidentResolveInput>,
): Promise<Incident> {
	return services.control.db.transaction(async (tx) => {
		const [found] = await tx.select().from(incidents).where(eq(incidents.id, input.id)).for('update')
		if (!found) throw new ReprieveError('NOT_FOUND', `there is no incident ${input.id}`)
		if (found.table === null) requireAllTables(principal)
		else requireTables(principal, [found.table])
		if (found.resolvedAt) return toIncident(found)
		if (found.stopsCapture) {
			throw new ReprieveError('CONFLICT', `incident ${found.id} (${found.code}) has stopped capture`, {
				hint: found.remedy,
			})
		}
		const [resolved] = await tx
			.update(incidents)
			.set({ resolvedAt: sql`clock_timestamp()`, resolvedBy: principal.id })
			.where(eq(incidents.id, input.id))
			.returning()
		return toIncident(resolved ?? found)
	})
}
