import type { Finding } from '@reprieve/contracts'
import type { Session } from '../session.ts'
import { type CaptureFacts, type CaptureLimits, captureFacts, captureFindings } from './capture-facts.ts'
import { unlessAcknowledged } from './findings.ts'

/** What protection needs to know of the server, the database and capture. */
export type ServerFacts = {
	walLevel: string
	encoding: string
	/** PostgreSQL 18's idle_replication_slot_timeout in seconds; 0: none. */
	idleTimeoutSeconds: number
	/** Slots of standbys that stream while no standby is named in synchronized_standby_slots, and our slot is to fail over. */
	unguarded: string[]
	/** Publications of others that take in all tables, or the schema reprieve. */
	takingAll: string[]
	acknowledged: string[]
	capture: CaptureFacts
}

/** Shorter and a maintenance window may cost the slot. */
const idleTimeoutSeconds = 24 * 3600

export async function readServerFacts(sql: Session): Promise<ServerFacts> {
	const [row] = await sql<{ facts: ServerFacts }[]>`
		select json_build_object(
			'walLevel', current_setting('wal_level'),
			'encoding', (select pg_encoding_to_char(encoding) from pg_database where datname = current_database()),
			'idleTimeoutSeconds', extract(epoch from coalesce(current_setting('idle_replication_slot_timeout', true), '0')::interval),
			'unguarded', (
				select coalesce(json_agg(s.slot_name order by s.slot_name), '[]') from pg_replication_slots s
				where s.slot_type = 'physical' and s.active and current_setting('synchronized_standby_slots', true) = ''
					and exists (
						select from pg_replication_slots o join reprieve.lineages l on l.slot = o.slot_name and l.closed_at is null
						where (to_jsonb(o)->>'failover')::bool)),
			'takingAll', (
				select coalesce(json_agg(p.pubname order by p.pubname), '[]') from pg_publication p
				where p.puballtables or exists (
					select from pg_publication_namespace n where n.pnpubid = p.oid and n.pnnspid = 'reprieve'::regnamespace)),
			'acknowledged', (
				select coalesce(json_agg(code), '[]') from (
					select a.code from reprieve.acknowledgements a
					union select jsonb_array_elements_text(t.acknowledged) from reprieve.protected_tables t) accepted),
			'capture', ${captureFacts(sql)}) as facts`
	if (!row) throw new Error('a select without FROM gave no row')
	return row.facts
}

/** What refuses every protection in this database, before anything is changed. */
export function databaseFindings(facts: ServerFacts, acknowledged: ReadonlySet<string>): Finding[] {
	const findings: Finding[] = []
	if (facts.walLevel !== 'logical') {
		findings.push({
			code: 'walLevel',
			message: `wal_level is ${facts.walLevel}, not logical`,
			remedy: "Run ALTER SYSTEM SET wal_level = 'logical' and restart PostgreSQL.",
		})
	}
	if (facts.encoding === 'SQL_ASCII') {
		findings.push({
			code: 'encoding',
			message: 'the database has encoding SQL_ASCII: text that is no UTF-8 would stop the replication stream',
			remedy: 'Move the data to a database with encoding UTF8.',
		})
	}
	for (const publication of facts.takingAll) {
		const finding = {
			code: 'forAllTables',
			message: `publication ${publication} takes in reprieve's own tables: its subscribers halt until they have them too`,
			remedy: 'Name the tables of that publication',
		}
		findings.push(...unlessAcknowledged(finding, `forAllTables:${publication}`, acknowledged))
	}
	return findings
}

/** What closes the gate of every protected table: capture, the slot and the server's limits on it. */
export function streamFindings(facts: ServerFacts, limits?: Partial<CaptureLimits>): Finding[] {
	const findings = captureFindings(facts.capture, limits)
	if (facts.idleTimeoutSeconds > 0 && facts.idleTimeoutSeconds < idleTimeoutSeconds) {
		findings.push({
			code: 'idleTimeout',
			message: `idle_replication_slot_timeout is ${facts.idleTimeoutSeconds} s, at least ${idleTimeoutSeconds} s (or 0) are needed`,
			remedy: 'Set idle_replication_slot_timeout to 0.',
		})
	}
	if (facts.unguarded.length > 0) {
		const finding = {
			code: 'failoverUnguarded',
			message: `synchronized_standby_slots names no standby: changes may be archived that ${facts.unguarded.join(', ')} never gets if it is promoted`,
			remedy: `Set synchronized_standby_slots = '${facts.unguarded.join(', ')}' (those that may be promoted)`,
		}
		findings.push(...unlessAcknowledged(finding, finding.code, new Set(facts.acknowledged)))
	}
	return findings
}
