import type { Route } from '../route.ts'

const page = { limit: 'integer', cursor: 'text' } as const
const tag = 'runs'

function commandRoutes(noun: 'runs' | 'restores', verbs: Record<string, string>): Route[] {
	return Object.entries(verbs).map(([verb, summary]) => ({
		procedure: `${noun}.${verb}`,
		method: 'post',
		path: `/api/v1/${noun}/{id}/${verb}`,
		summary,
		tag: noun,
		errors: ['NOT_FOUND', 'CONFLICT'],
	}))
}

function jobAnswer(noun: 'runs' | 'restores') {
	return (job: { id: string }) => ({ status: 202, location: `/api/v1/${noun}/${job.id}` })
}

const runRoutes: Route[] = [
	{
		procedure: 'runs.start',
		method: 'post',
		path: '/api/v1/runs',
		summary: 'Execute a plan',
		tag,
		statuses: [202],
		answer: jobAnswer('runs'),
		errors: [
			'NOT_FOUND',
			'PLAN_EXPIRED',
			'PLAN_DRIFTED',
			'APPROVAL_REQUIRED',
			'NOT_RESTORABLE',
			'CONFLICT',
			'LIMIT_EXCEEDED',
		],
		example: { planId: '0f0e4f5c-6a1f-4d2b-9c53-52cf41e2f7b7', reason: 'double sign-ups' },
	},
	{
		procedure: 'runs.list',
		method: 'get',
		path: '/api/v1/runs',
		summary: 'Runs, newest first',
		tag,
		query: { status: 'text', ...page },
		errors: [],
	},
	{
		procedure: 'runs.get',
		method: 'get',
		path: '/api/v1/runs/{id}',
		summary: 'One run; with `wait` once its status is final',
		tag,
		query: { wait: 'seconds' },
		errors: ['NOT_FOUND'],
	},
	{
		procedure: 'runs.drifted',
		method: 'get',
		path: '/api/v1/runs/{id}/drifted',
		summary: 'Planned rows that were left because they changed',
		tag,
		query: page,
		errors: ['NOT_FOUND'],
	},
	...commandRoutes('runs', {
		pause: 'Pause after the batch under way',
		resume: 'Go on',
		cancel: 'Stop after the batch under way, for good',
	}),
]

const restoreRoutes: Route[] = [
	{
		procedure: 'restores.preview',
		method: 'post',
		path: '/api/v1/restores/preview',
		summary: 'What a restore would do, then versus now',
		tag: 'restores',
		errors: ['NOT_FOUND', 'SCHEMA_DRIFT', 'CAPTURE_GAP', 'LIMIT_EXCEEDED', 'VAULT_CORRUPT', 'VAULT_UNAVAILABLE'],
		example: { selection: { table: 'customers', keys: [{ id: 42 }] } },
	},
	{
		procedure: 'restores.start',
		method: 'post',
		path: '/api/v1/restores',
		summary: 'Put archived rows back, as previewed',
		tag: 'restores',
		statuses: [202],
		answer: jobAnswer('restores'),
		errors: [
			'NOT_FOUND',
			'PLAN_DRIFTED',
			'CONFLICT',
			'PARENT_MISSING',
			'SCHEMA_DRIFT',
			'CAPTURE_GAP',
			'NOT_RESTORABLE',
			'LIMIT_EXCEEDED',
			'VAULT_CORRUPT',
			'VAULT_UNAVAILABLE',
		],
		example: { selection: { run: '7c1d…' }, hash: '9a02…', reason: 'deleted by mistake' },
	},
	{
		procedure: 'restores.list',
		method: 'get',
		path: '/api/v1/restores',
		summary: 'Restores, newest first',
		tag: 'restores',
		query: { status: 'text', ...page },
		errors: [],
	},
	{
		procedure: 'restores.get',
		method: 'get',
		path: '/api/v1/restores/{id}',
		summary: 'One restore; with `wait` once its status is final',
		tag: 'restores',
		query: { wait: 'seconds' },
		errors: ['NOT_FOUND'],
	},
	{
		procedure: 'restores.report',
		method: 'get',
		path: '/api/v1/restores/{id}/report',
		summary: 'Counts per table and every row that is not as it was',
		tag: 'restores',
		query: page,
		errors: ['NOT_FOUND'],
	},
	...commandRoutes('restores', {
		pause: 'Pause after the batch under way',
		resume: 'Go on',
		cancel: 'Stop after the batch under way, for good',
		undo: 'Plan the removal of the rows that the restore wrote',
	}),
]

export const jobRoutes: Route[] = [...runRoutes, ...restoreRoutes]
