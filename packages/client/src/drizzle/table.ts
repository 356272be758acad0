import { formatTableName } from '@reprieve/contracts'
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core'

/** The name of a Drizzle table as every call takes it. */
export function tableName(table: PgTable): string {
	const { schema, name } = getTableConfig(table)
	return formatTableName({ schema: schema ?? 'public', name })
}
