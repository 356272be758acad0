import { ReprieveError } from '@reprieve/contracts'
import postgres from 'postgres'

/** What a first start adds to somebody's own database; empty when everything stands. */
export type Changes = { database: string; lines: string[] }

/**
 * Reads what serving a database would change in it, and changes nothing. Throws NOT_RESTORABLE where its settings or
 * somebody's publication stand in the way.
 */
export async function readChanges(url: string, acknowledged: string[]): Promise<Changes> {
	const sql = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 10 })
	try {
		const [facts] = await sql<Facts[]>`
			select current_database() as database, current_setting('wal_level') as "walLevel",
				current_setting('server_version_num')::int as version, d.oid::text as oid,
				to_regnamespace('reprieve') is not null as "hasSchema",
				(select coalesce(array_agg(pubname::text), '{}') from pg_publication
					where pubname in ('reprieve', 'reprieve_relink', 'reprieve_move')) as publications,
				exists (select from pg_replication_slots where slot_name = 'reprieve_' || d.oid) as "hasSlot",
				(select coalesce(array_agg(pubname::text), '{}') from pg_publication where puballtables) as "allTables"
			from pg_database d where d.datname = current_database()`
		if (!facts) throw new ReprieveError('UNAVAILABLE', 'the database does not answer about itself')
		refuseUnfit(facts, acknowledged)
		return { database: facts.database, lines: additions(facts) }
	} catch (error) {
		if (error instanceof ReprieveError) throw error
		throw new ReprieveError('UNAVAILABLE', `the database cannot be reached: ${(error as Error).message}`, {
			cause: error,
		})
	} finally {
		await sql.end({ timeout: 5 })
	}
}

type Facts = {
	database: string
	oid: string
	walLevel: string
	version: number
	hasSchema: boolean
	publications: string[]
	hasSlot: boolean
	allTables: string[]
}

function refuseUnfit(facts: Facts, acknowledged: string[]): void {
	if (facts.version < 150_000 || facts.version >= 190_000) {
		throw new ReprieveError('NOT_RESTORABLE', `PostgreSQL ${Math.floor(facts.version / 10_000)}; 15 to 18 are served`)
	}
	if (facts.walLevel !== 'logical') {
		throw new ReprieveError('NOT_RESTORABLE', `wal_level is ${facts.walLevel}, logical is needed`, {
			hint: 'ALTER SYSTEM SET wal_level = logical, then restart the server.',
		})
	}
	const strange = facts.hasSchema ? [] : facts.allTables.filter((name) => !acknowledged.includes(name))
	if (strange.length === 0) return
	throw new ReprieveError('NOT_RESTORABLE', `publication ${strange.join(', ')} is FOR ALL TABLES`, {
		hint: `It would take in reprieve's own tables, and a subscriber without them halts. Publish tables by name, or start with --acknowledge-publication ${strange[0]}.`,
	})
}

function additions(facts: Facts): string[] {
	const missing = ['reprieve', 'reprieve_relink', 'reprieve_move'].filter((name) => !facts.publications.includes(name))
	return [
		...(facts.hasSchema ? [] : ['schema "reprieve" with the control tables']),
		...(missing.length === 0 ? [] : [`publication ${missing.join(', ')} (empty: no table of yours is in one yet)`]),
		...(facts.hasSlot
			? []
			: [`replication slot reprieve_${facts.oid}, which holds back log while reprieve is stopped`]),
	]
}
