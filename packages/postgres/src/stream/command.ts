import { parseLsn, quoteIdentifier } from '@reprieve/contracts'
import postgres from 'postgres'
import { sessionSetup } from '../session.ts'
import { watchConnections } from '../watch.ts'

/** A timeline that the server's own one came from, and where it ended. */
export type LeftTimeline = { timeline: number; end: bigint }

/** The history of a server's timeline, oldest first; the first one has none. */
export async function readTimelineHistory(url: string, timeline: number): Promise<LeftTimeline[]> {
	if (timeline <= 1) return []
	return await overReplication(url, async (connection) => {
		const [row] = await connection.unsafe(`TIMELINE_HISTORY ${timeline}`).simple()
		return parseTimelineHistory(Buffer.from(row?.content ?? '').toString())
	})
}

/** Lines of parent timeline, switch point and reason; # begins a comment. */
function parseTimelineHistory(text: string): LeftTimeline[] {
	return text.split('\n').flatMap((line) => {
		const match = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line)
		return match ? [{ timeline: Number(match[1]), end: parseLsn(match[2] as string) }] : []
	})
}

/** Lets standbys keep a copy of a slot that nobody streams from (PostgreSQL 17). */
export async function enableFailover(url: string, slot: string): Promise<void> {
	await overReplication(url, async (connection) => {
		await connection.unsafe(`ALTER_REPLICATION_SLOT ${quoteIdentifier(slot)} (FAILOVER true)`).simple()
	})
}

async function overReplication<T>(url: string, work: (connection: postgres.Sql) => Promise<T>): Promise<T> {
	const connection = postgres(url, {
		...{ max: 1, fetch_types: false, onnotice: () => {}, setup: sessionSetup, onconnected: watchConnections(url) },
		connection: { application_name: 'reprieve lineage', replication: 'database' } as object,
	})
	try {
		return await work(connection)
	} finally {
		await connection.end({ timeout: 1 })
	}
}
