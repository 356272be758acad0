import type { Route } from '../route.ts'

const page = { limit: 'integer', cursor: 'text' } as const
const changeFields = { run: 'text', transaction: 'text', from: 'text', to: 'text' } as const
const tag = 'tables'

export const tableRoutes: Route[] = [
	{
		procedure: 'tables.protect',
		method: 'post',
		path: '/api/v1/tables/protect',
		summary: 'Protect tables, so that whatever is deleted from them can be restored',
		tag,
		query: { wait: 'seconds' },
		errors: ['CONFLICT', 'NOT_RESTORABLE'],
		example: { tables: ['customers', 'orders'], truncate: 'refuse' },
	},
	{
		procedure: 'tables.unprotect',
		method: 'post',
		path: '/api/v1/tables/unprotect',
		summary: 'Stop protecting tables and put back what protecting changed',
		tag,
		errors: ['NOT_FOUND', 'CONFLICT'],
		example: { tables: ['orders'] },
	},
	{
		procedure: 'tables.list',
		method: 'get',
		path: '/api/v1/tables',
		summary: 'Protected tables with their restorability',
		tag,
		query: page,
		errors: [],
	},
	{
		procedure: 'tables.get',
		method: 'get',
		path: '/api/v1/tables/{table}',
		summary: 'One table with its restorability',
		tag,
		errors: ['NOT_FOUND'],
	},
	{
		procedure: 'archive.changes',
		method: 'get',
		path: '/api/v1/archive/changes',
		summary: 'Archived changes, with who, why and when',
		tag: 'archive',
		query: { table: 'text', key: 'json', where: 'json', ...changeFields, ...page },
		errors: ['NOT_FOUND', 'VAULT_CORRUPT', 'VAULT_UNAVAILABLE'],
	},
	{
		procedure: 'archive.changes',
		method: 'post',
		path: '/api/v1/archive/search',
		summary: 'The same as a body, for long predicates',
		tag: 'archive',
		errors: ['NOT_FOUND', 'VAULT_CORRUPT', 'VAULT_UNAVAILABLE'],
		example: { table: 'customers', where: { column: 'country', op: 'eq', value: 'NO' }, limit: 50 },
	},
	{
		procedure: 'archive.barrier',
		method: 'post',
		path: '/api/v1/archive/barrier',
		summary: 'Wait until everything committed before the call is restorable',
		tag: 'archive',
		errors: ['ARCHIVE_LAGGING'],
		example: { timeoutMs: 10_000 },
	},
]
