import { ReprieveError, type Role } from '@reprieve/contracts'
import type { Principal, Services } from '../context.ts'
import { shareReads } from '../share.ts'
import { hashSecret, isSameHash } from './keys.ts'

type KeyRow = { id: string; name: string; role: Role; hash: string; tables: string[] | null; chain: string[] }

/** Who the bearer of an `Authorization` header is. Throws UNAUTHENTICATED, never saying whether a key exists. */
export async function authenticate(services: Services, header: string | undefined): Promise<Principal> {
	const secret = /^Bearer ([\x21-\x7e]{1,1000})$/i.exec(header ?? '')?.[1]
	const principal = secret && (await findPrincipal(services, secret))
	if (principal) return principal
	throw new ReprieveError('UNAUTHENTICATED', header ? 'the key is not valid' : 'no key was sent', {
		hint: 'Send Authorization: Bearer <API key>.',
	})
}

const findPrincipal = shareReads(({ control: { sql } }: Services) => async (secret: string) => {
	const key = await findKey(sql, hashSecret(secret))
	if (!key) return undefined
	const { id, name, role, tables, chain } = key
	return { id, name, role, tables: tables ?? undefined, chain } satisfies Principal
})

async function findKey(sql: Services['control']['sql'], hash: string): Promise<KeyRow | undefined> {
	const [row] = await sql<KeyRow[]>`
		with recursive found as (
			select id, name, role, hash, tables, created_by from reprieve.api_keys where hash = ${hash} and revoked_at is null
		), chain(id, created_by, depth) as (
			select id, created_by, 0 from found
			union all
			select k.id, k.created_by, c.depth + 1 from chain c join reprieve.api_keys k on k.id = c.created_by
			where c.created_by <> c.id and c.depth < 100
		)
		select id, name, role, hash, tables, (select pg_catalog.array_agg(id order by depth) from chain) as chain from found`
	return row && isSameHash(row.hash, hash) ? row : undefined
}
