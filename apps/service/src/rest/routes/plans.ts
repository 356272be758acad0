import type { Plan } from '@reprieve/contracts'
import type { Route } from '../route.ts'

const page = { limit: 'integer', cursor: 'text' } as const
const tag = 'plans'

export const planRoutes: Route[] = [
	{
		procedure: 'policies.list',
		method: 'get',
		path: '/api/v1/policies',
		summary: 'Named policies, each in its newest version',
		tag: 'policies',
		query: page,
		errors: [],
	},
	{
		procedure: 'policies.get',
		method: 'get',
		path: '/api/v1/policies/{name}',
		summary: 'One named policy',
		tag: 'policies',
		query: { version: 'integer' },
		errors: ['NOT_FOUND'],
	},
	{
		procedure: 'policies.put',
		method: 'put',
		path: '/api/v1/policies/{name}',
		summary: 'Store a policy under a name, as a new version where it differs',
		tag: 'policies',
		errors: ['NOT_FOUND', 'CONFLICT'],
		example: { policy: { kind: 'stale', table: 'sessions', column: 'seen_at', olderThan: 'P90D' } },
	},
	{
		procedure: 'plans.create',
		method: 'post',
		path: '/api/v1/plans',
		summary: 'Find what a policy matches and plan exactly which rows would go',
		tag,
		statuses: [201, 202],
		answer: (plan: Plan) => ({ status: plan.status === 'planning' ? 202 : 201, location: `/api/v1/plans/${plan.id}` }),
		errors: ['NOT_FOUND', 'NOT_RESTORABLE', 'LIMIT_EXCEEDED', 'CONFLICT'],
		example: {
			policy: {
				kind: 'duplicates',
				table: 'customers',
				key: [{ column: 'email', normalise: 'lower' }],
				keep: 'newest',
				by: 'created_at',
			},
			reason: 'double sign-ups',
		},
	},
	{
		procedure: 'plans.list',
		method: 'get',
		path: '/api/v1/plans',
		summary: 'Plans, newest first',
		tag,
		query: { status: 'text', ...page },
		errors: [],
	},
	{
		procedure: 'plans.get',
		method: 'get',
		path: '/api/v1/plans/{id}',
		summary: 'One plan; with `wait` once its status is final',
		tag,
		query: { wait: 'seconds' },
		errors: ['NOT_FOUND'],
	},
	{
		procedure: 'plans.rows',
		method: 'get',
		path: '/api/v1/plans/{id}/rows',
		summary: 'The planned rows by key',
		tag,
		query: page,
		errors: ['NOT_FOUND', 'PLAN_EXPIRED'],
	},
	{
		procedure: 'plans.approve',
		method: 'post',
		path: '/api/v1/plans/{id}/approve',
		summary: "Consent to one plan's hash",
		tag,
		errors: ['NOT_FOUND', 'PLAN_EXPIRED', 'PLAN_DRIFTED', 'SELF_APPROVAL', 'CONFLICT'],
		example: { hash: '4b1f…' },
	},
	{
		procedure: 'plans.discard',
		method: 'post',
		path: '/api/v1/plans/{id}/discard',
		summary: 'Give a plan up',
		tag,
		errors: ['NOT_FOUND', 'CONFLICT'],
	},
]
