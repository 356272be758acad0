import { places } from './places.ts'
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

/** Places at which the server ends connections of a process. */
export const cuts: Record<'service' | 'sidecar', Omit<Place, 'fate'>[]> = {
	service: [
		{ ...places.planBeingWritten, first: endOwn },
		{ ...places.tablesPublished, first: endOwn },
		{ ...places.batchTagged, nth: 2, first: endOwn },
		{ ...places.batchSealed, nth: 5, first: endOwn },
		{ ...places.restoreInserted, nth: 2, first: endOwn },
		{ ...places.restoreRecorded, nth: 5, first: endOwn },
	],
	sidecar: [
		{ ...places.segmentsWritten, nth: 4, first: endSession },
		{ ...places.transactionsCommitted, nth: 12, first: endAll },
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
