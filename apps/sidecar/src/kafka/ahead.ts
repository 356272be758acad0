import { frameTopic } from '@reprieve/cdc'
import type { TableName } from '@reprieve/contracts'
import type { Sql } from '@reprieve/postgres'
import type { SessionOptions } from '../session.ts'
import type { Topics } from './topics.ts'

/** Milliseconds before brokers that refused topics are asked again. */
const againMs = 10_000

type Ahead = { topics: Pick<Topics, 'makeAhead'>; prefix: string; everyMs: number }

/**
 * Makes the topics of protected tables before their first row, so that archivers read them already when it comes. Nothing
 * fails by it: a topic that cannot be made is tried again when a row needs it.
 */
export function watchProtected(
	{ sql, log }: Pick<SessionOptions, 'sql' | 'log'>,
	{ topics, prefix, everyMs }: Ahead,
): NodeJS.Timeout {
	let isBusy = false
	let quietUntil = 0
	const round = () => {
		if (isBusy || performance.now() < quietUntil) return
		isBusy = true
		readProtected(sql)
			.then((tables) => topics.makeAhead(tables.flatMap((table) => topicOf(prefix, table))))
			.catch((error) => {
				quietUntil = performance.now() + againMs
				log.warn({ err: error }, 'topics of protected tables could not be made before their first rows')
			})
			.finally(() => {
				isBusy = false
			})
	}
	round()
	return setInterval(round, everyMs)
}

/** Rows of partitions go to the topic of their root. */
async function readProtected(sql: Sql): Promise<TableName[]> {
	return await sql<TableName[]>`
		select distinct n.nspname as schema, c.relname as name from reprieve.protected_tables p
		join pg_class c on c.oid = p.root_oid join pg_namespace n on n.oid = c.relnamespace`
}

/** None where the prefix leaves no room for a name: its first row says so. */
function topicOf(prefix: string, table: TableName): string[] {
	try {
		return [frameTopic(prefix, table)]
	} catch {
		return []
	}
}
