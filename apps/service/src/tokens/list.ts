import type { tokenListInput, tokenListOutput } from '@reprieve/contracts'
import { apiKeys } from '@reprieve/control'
import { asc, gt } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'

/** API keys, revoked ones included, without their secrets. */
export async function listTokens(
	services: Services,
	_principal: Principal,
	input: z.infer<typeof tokenListInput>,
): Promise<z.infer<typeof tokenListOutput>> {
	const limit = input.limit ?? 100
	const after = readCursor(input.cursor, /^[\w-]{1,100}$/)
	const rows = await services.control.db
		.select()
		.from(apiKeys)
		.where(after ? gt(apiKeys.id, after) : undefined)
		.orderBy(asc(apiKeys.id))
		.limit(limit + 1)
	return toPage(rows.map(toToken), limit, (token) => token.id)
}

/** A stored key as surfaces show it. */
export function toToken(row: typeof apiKeys.$inferSelect): z.infer<typeof tokenListOutput>['items'][number] {
	const { hash: _, tables, revokedAt, ...rest } = row
	return { ...rest, tables: tables ?? undefined, revokedAt: revokedAt ?? undefined }
}
