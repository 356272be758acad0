import { formatTableName, parseTableName, ReprieveError, type TableItem, type tableGetInput } from '@reprieve/contracts'
import { findTable } from '@reprieve/postgres'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readItems } from './item.ts'

/** One table, protected or not; one that was dropped, as long as it has an archive. Throws NOT_FOUND for any other. */
export async function get(
	services: Services,
	_principal: Principal,
	input: z.infer<typeof tableGetInput>,
): Promise<TableItem> {
	const name = parseTableName(input.table)
	const found = await findTable(services.pools.plan, name)
	const [item] = await readItems(services, [{ ...name, oid: found?.oid }])
	if (item && (found || item.archivedRows > 0)) return item
	throw new ReprieveError('NOT_FOUND', `there is no table ${formatTableName(name)}`, {
		hint: 'Spell it as the catalog does.',
	})
}
