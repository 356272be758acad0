import { formatTableName, ReprieveError, type tableListInput, type tableListOutput } from '@reprieve/contracts'
import type { z } from 'zod'
import { canonical } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { toPage } from '../page.ts'
import { type Named, readItems } from './item.ts'

type ListInput = z.infer<typeof tableListInput>
type ListOutput = z.infer<typeof tableListOutput>

/** Every table of the database that the principal may see, protected or not, by name: what is covered and what is not. */
export async function list(services: Services, principal: Principal, input: ListInput): Promise<ListOutput> {
	const after = decodeCursor(input.cursor)
	const limit = input.limit ?? 100
	const rows = (await readTables(services, after)).filter((table) => isVisible(principal, table)).slice(0, limit + 1)
	const page = toPage(rows, limit, encodeCursor)
	return { items: await readItems(services, page.items), ...(page.next === undefined ? {} : { next: page.next }) }
}

/** Partitions stand under their root; reprieve's own and the system's tables are no user's. */
async function readTables(services: Services, after: [schema: string, name: string]): Promise<Named[]> {
	return await services.pools.plan<Named[]>`
		select c.oid::int8::float8 as oid, n.nspname as schema, c.relname as name
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
			and n.nspname not in ('pg_catalog', 'information_schema', 'reprieve') and n.nspname not like 'pg\\_toast%'
			and (n.nspname::text collate "C", c.relname::text collate "C") > (${after[0]}, ${after[1]})
		order by n.nspname::text collate "C", c.relname::text collate "C"`
}

function isVisible(principal: Principal, table: Named): boolean {
	return principal.tables === undefined || principal.tables.map(canonical).includes(formatTableName(table))
}

function encodeCursor(table: Named): string {
	return Buffer.from(JSON.stringify([table.schema, table.name])).toString('base64url')
}

function decodeCursor(cursor: string | undefined): [string, string] {
	if (cursor === undefined) return ['', '']
	try {
		const [schema, name] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
		if (typeof schema === 'string' && typeof name === 'string') return [schema, name]
	} catch {}
	throw new ReprieveError('INVALID', 'the cursor is not one that this list handed out', {
		hint: 'Pass `next` of the page before, unchanged.',
	})
}
