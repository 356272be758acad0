import { type Plan, type PolicyKind, policyKinds, type Run } from '@reprieve/contracts'
import type { Route } from '../route.ts'

const summaries: Record<PolicyKind, string> = {
	duplicates: 'Delete duplicates, keeping one row of each',
	stale: 'Delete rows older than an age or an instant',
	orphans: 'Delete rows whose parent is absent',
	incomplete: 'Delete rows that lack values',
	match: 'Delete rows that match a predicate',
}

const examples: Record<PolicyKind, Record<string, unknown>> = {
	duplicates: { table: 'customers', key: ['username'], keep: 'newest', by: 'created_at', dryRun: true },
	stale: { table: 'sessions', column: 'seen_at', olderThan: 'P90D', reason: 'nightly' },
	orphans: { table: 'order_lines', columns: ['order_id'], references: { table: 'orders', columns: ['id'] } },
	incomplete: { table: 'customers', missing: ['email', 'phone'], blank: true },
	match: { table: 'customers', where: { column: 'status', op: 'eq', value: 'test' } },
}

export const cleanupRoutes: Route[] = policyKinds.map((kind) => ({
	procedure: `cleanup.${kind}`,
	method: 'post',
	path: `/api/cleanup/${kind}`,
	summary: `${summaries[kind]}: plan and run in one call`,
	tag: 'cleanup',
	statuses: [202, 200],
	answer: (answer: Run | Plan) =>
		'planId' in answer ? { status: 202, location: `/api/v1/runs/${answer.id}` } : { status: 200 },
	errors: ['NOT_FOUND', 'APPROVAL_REQUIRED', 'NOT_RESTORABLE', 'CONFLICT', 'LIMIT_EXCEEDED', 'PLAN_DRIFTED'],
	example: examples[kind],
}))
