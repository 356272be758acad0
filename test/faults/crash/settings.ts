import type { Edit } from './point.ts'

/** Times that no variable sets, made short: what a crash is waited for, and how often upkeep looks. */
export const shortened: Edit[] = [
	setting('apps/service/src/runs/worker/loop.ts', 'leaseMs: 30_000', 'leaseMs: 3_000'),
	setting('apps/service/src/restores/worker/loop.ts', 'leaseMs = 30_000', 'leaseMs = 3_000'),
	setting('apps/service/src/restores/start.ts', 'defaultBatchRows = 25_000', 'defaultBatchRows = 20'),
	setting(
		'apps/service/src/restores/worker/batch.ts',
		"idle_in_transaction_session_timeout = '60s'",
		"idle_in_transaction_session_timeout = '6s'",
	),
	setting('apps/service/src/idempotency/claim.ts', 'claimSeconds = 30', 'claimSeconds = 3'),
	setting('apps/service/src/work.ts', 'sweepMs = 60_000', 'sweepMs = 1_000'),
	setting('apps/service/src/plans/sweep.ts', 'startWithinMs = 60_000', 'startWithinMs = 6_000'),
	setting('packages/postgres/src/watch.ts', 'usualLookMs = 5_000', 'usualLookMs = 500'),
	setting('apps/sidecar/src/config.ts', 'min(1_000).default(10_000)', 'min(1_000).default(3_000)'),
	setting('apps/sidecar/src/config.ts', 'min(0).default(30_000)', 'min(0).default(1_000)'),
	setting('packages/vault/src/table.ts', 'every = 20', 'every = 5'),
	setting('packages/vault/src/transactions.ts', 'every = 20', 'every = 5'),
]

/** What the logs let go of is deleted within seconds. */
export const sweptSoon: Edit[] = [
	setting('apps/sidecar/src/upkeep/loop.ts', 'roundsPerSweep = 120', 'roundsPerSweep = 2'),
	setting('packages/vault/src/sweep.ts', 'week = 7 * 24 * 3_600_000', 'week = 5_000'),
]

/** The index takes in segments however few they are. */
export const indexedSoon: Edit[] = [
	setting('packages/vault/src/lookup/refresh.ts', 'fewest = minSegments,', 'fewest = 1,'),
]

/** A service that answers calls and leaves the work to others. */
export const bystander: Edit[] = [
	setting('apps/service/src/runs/worker/loop.ts', 'concurrency: 2', 'concurrency: 0'),
	setting(
		'apps/service/src/restores/worker/loop.ts',
		'return await claimRestore(services, owner, leaseMs)',
		'return undefined',
	),
]

function setting(file: string, at: string, instead: string): Edit {
	return { file, at, instead }
}
