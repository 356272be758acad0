import type { Place } from './point.ts'

/** The server ends the connection that is at work. */
const endOwn = 'await tx.unsafe(`select pg_terminate_backend(pg_backend_pid())`).catch(() => {})'
/** The server ends every connection of the process's programs. */
const endAll = ofItsOwn(`select pg_terminate_backend(pid) from pg_stat_activity
	where datname = current_database() and application_name like 'reprieve %'`)

/** The server ends the replication stream. */
const endSession = ofItsOwn(
	'select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database()',
)

const batch = 'apps/service/src/runs/worker/delete-batch.ts'
const restoreBatch = 'packages/restore/src/execute/batch.ts'
const archive = 'apps/sidecar/src/archive/loop.ts'

/** Places at which the server ends connections of a process. */
export const cuts: Record<'service' | 'sidecar', Omit<Place, 'fate'>[]> = {
	service: [
		{
			name: 'a plan is being written',
			file: 'apps/service/src/plans/make.ts',
			at: 'requireTables(principal, touchedTables(evaluation))',
			first: endOwn,
		},
		{
			name: 'tables are published, their protection is not recorded',
			file: 'packages/postgres/src/protect/apply.ts',
			at: 'await recordProtection(tx, plan, options)',
			first: endOwn,
		},
		{ name: 'a batch is tagged', file: batch, at: 'const before = await readServerCounts(', nth: 2, first: endOwn },
		{ name: 'a batch is sealed', file: batch, at: 'await requireOpenGate(tx, [', nth: 5, first: endOwn },
		{
			name: 'a batch of a restore has inserted',
			file: restoreBatch,
			at: 'await advanceSequences(tx, stages)',
			nth: 2,
			first: endOwn,
		},
		{
			name: 'a batch of a restore is recorded',
			file: 'apps/service/src/restores/worker/execute.ts',
			at: 'return counted',
			nth: 5,
			first: endOwn,
		},
	],
	sidecar: [
		{ name: 'segments are written', file: archive, at: 'await buffer.vault.commit(', nth: 4, first: endSession },
		{
			name: 'transactions are in the vault',
			file: archive,
			at: 'await record(batch.record',
			when: 'batch.record.length > 0',
			nth: 12,
			first: endAll,
		},
	],
}

/** A query over a connection of its own. */
function ofItsOwn(query: string): string {
	return `await import('postgres').then(async ({ default: open }) => {
		const own = open(process.env.DATABASE_URL, { max: 1 })
		await own.unsafe(${JSON.stringify(query)})
		await own.end()
	})`
}
