import { ReprieveError, type token, type tokenRevokeInput } from '@reprieve/contracts'
import { apiKeys } from '@reprieve/control'
import { and, eq, isNull, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { toToken } from './list.ts'

/** Makes a key invalid from the next call on; revoking it again changes nothing. Refuses the last admin key. */
export async function revokeToken(
	services: Services,
	_principal: Principal,
	input: z.infer<typeof tokenRevokeInput>,
): Promise<z.infer<typeof token>> {
	return services.control.db.transaction(async (tx) => {
		await tx.execute(sql`lock table ${apiKeys} in share row exclusive mode`)
		const [found] = await tx.select().from(apiKeys).where(eq(apiKeys.id, input.id))
		if (!found) throw new ReprieveError('NOT_FOUND', `there is no key ${input.id}`)
		if (found.revokedAt) return toToken(found)
		const admins = await tx.$count(
			apiKeys,
			and(eq(apiKeys.role, 'admin'), isNull(apiKeys.tables), isNull(apiKeys.revokedAt)),
		)
		if (found.role === 'admin' && !found.tables && admins === 1) {
			throw new ReprieveError('CONFLICT', 'this is the only admin key left', { hint: 'Make another admin key first.' })
		}
		const revokedAt = services.clock.now().toISOString()
		const [revoked] = await tx.update(apiKeys).set({ revokedAt }).where(eq(apiKeys.id, input.id)).returning()
		return toToken(revoked ?? found)
	})
}
