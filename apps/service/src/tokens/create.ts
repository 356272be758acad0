import { randomUUID } from 'node:crypto'
import { ReprieveError, type tokenCreateInput, type tokenCreateOutput } from '@reprieve/contracts'
import { apiKeys } from '@reprieve/control'
import type { z } from 'zod'
import { canonical, requireTables } from '../access/grants.ts'
import { createSecret, hashSecret } from '../access/keys.ts'
import { requireRole } from '../access/roles.ts'
import type { Principal, Services } from '../context.ts'

/**
 * Makes an API key that may do no more than its creator. The secret is in the answer and nowhere else. A key of this id, which
 * an earlier try of the same call made and nobody was told the secret of, gets the new secret.
 */
export async function createToken(
	services: Services,
	principal: Principal,
	input: z.infer<typeof tokenCreateInput>,
	id: string = randomUUID(),
): Promise<z.infer<typeof tokenCreateOutput>> {
	requireRole(principal, input.role)
	const tables = input.tables && [...new Set(input.tables.map(canonical))]
	requireNoMore(principal, tables)
	const secret = createSecret()
	const token = {
		id,
		name: input.name,
		role: input.role,
		createdBy: principal.id,
		createdAt: services.clock.now().toISOString().replace('Z', '000Z'),
	}
	const hash = hashSecret(secret)
	await services.control.db
		.insert(apiKeys)
		.values({ ...token, tables, hash })
		.onConflictDoUpdate({ target: apiKeys.id, set: { hash } })
	return { ...token, tables, secret }
}

function requireNoMore(principal: Principal, tables: string[] | undefined): void {
	if (tables) requireTables(principal, tables)
	else if (principal.tables) {
		throw new ReprieveError(
			'FORBIDDEN',
			`the key "${principal.name}" may act on ${principal.tables.length} tables, not on all`,
			{
				hint: 'Name the tables that the new key may act on.',
			},
		)
	}
}
