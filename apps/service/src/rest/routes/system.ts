import type { Route } from '../route.ts'

const page = { limit: 'integer', cursor: 'text' } as const

export const systemRoutes: Route[] = [
	{
		procedure: 'system.status',
		method: 'get',
		path: '/api/v1/system/status',
		summary: 'Where capture and archive stand',
		tag: 'system',
		errors: [],
	},
	{
		procedure: 'system.verify',
		method: 'post',
		path: '/api/v1/system/verify',
		summary: 'Read the vault and compare every object with its digest',
		tag: 'system',
		errors: ['NOT_FOUND', 'VAULT_UNAVAILABLE'],
		example: { table: 'customers' },
	},
	{
		procedure: 'tokens.create',
		method: 'post',
		path: '/api/v1/tokens',
		summary: 'Make an API key; its secret is shown once',
		tag: 'tokens',
		statuses: [201],
		errors: ['CONFLICT'],
		example: { name: 'nightly clean-up', role: 'operator', tables: ['sessions'] },
	},
	{
		procedure: 'tokens.list',
		method: 'get',
		path: '/api/v1/tokens',
		summary: 'API keys without their secrets',
		tag: 'tokens',
		query: page,
		errors: [],
	},
	{
		procedure: 'tokens.revoke',
		method: 'post',
		path: '/api/v1/tokens/{id}/revoke',
		summary: 'Make a key invalid from the next call on',
		tag: 'tokens',
		errors: ['NOT_FOUND', 'CONFLICT'],
	},
	{
		procedure: 'audit.list',
		method: 'get',
		path: '/api/v1/audit',
		summary: 'Audit entries, newest first',
		tag: 'audit',
		query: { act: 'text', ...page },
		errors: [],
	},
	{
		procedure: 'audit.verify',
		method: 'get',
		path: '/api/v1/audit/verify',
		summary: 'Recompute the chain of audit entries',
		tag: 'audit',
		errors: [],
	},
]
