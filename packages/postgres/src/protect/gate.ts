import { type Finding, formatTableName } from '@reprieve/contracts'
import type { Session } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'
import {
	type CaptureFacts,
	type CaptureLimits,
	captureFacts,
	captureFindings,
	incidentFinding,
	isDebezium,
} from './capture-facts.ts'
import { debeziumShape, ourPublications, publications } from './publications.ts'

type GateTable = {
	schema: string
	name: string
	kind: string
	identity: string
	persistence: string
	isPartition: boolean
	/** The partition root above it is protected. */
	isRootProtected: boolean
	isRelinked: boolean
	isDebezium: boolean
	status: 'pending' | 'ready' | null
	/** Our publications that hold the table whole: without row filter and column list. */
	memberOf: string[]
	/** Ours that hold it with a row filter or a column list. */
	partlyIn: string[]
}

/**
 * The part of restorability that can change under a batch, in one round trip; empty means open. Every table given,
 * with its partitions and inheritance children of this moment, must be protected. A batch calls it twice, after its
 * ROW EXCLUSIVE locks (which keep ALTER TABLE out) and before its commit, in READ COMMITTED.
 */
export async function readGate(sql: Session, oids: number[], limits?: Partial<CaptureLimits>): Promise<Finding[]> {
	const [row] = await sql<{ capture: CaptureFacts; tables: GateTable[]; found: number }[]>`
		with recursive family(oid) as (
			select t.oid from unnest(${arrayLiteral(oids)}::oid[]) t(oid)
			union
			select i.inhrelid from pg_inherits i join family f on i.inhparent = f.oid)
		select ${captureFacts(sql)} as capture,
			(select count(*)::int from pg_class c where c.oid = any(${arrayLiteral(oids)}::oid[])) as found,
			(select coalesce(json_agg(json_build_object('schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'identity', c.relreplident,
				'persistence', c.relpersistence, 'isPartition', c.relispartition, 'status', p.status,
				'isRootProtected', exists (select from reprieve.protected_tables r where r.oid = pg_partition_root(c.oid)),
				'isDebezium', ${isDebezium(sql)},
				'isRelinked', exists (
					select from pg_constraint k join reprieve.protected_tables parent on parent.oid = k.confrelid
					where k.conrelid = c.oid and k.contype = 'f' and k.confdeltype in ('n', 'd')),
				'memberOf', (
					select coalesce(json_agg(b.pubname), '[]') from pg_publication_rel r
					join pg_publication b on b.oid = r.prpubid
					where r.prrelid = c.oid and r.prqual is null and r.prattrs is null),
				'partlyIn', (
					select coalesce(json_agg(b.pubname), '[]') from pg_publication_rel r
					join pg_publication b on b.oid = r.prpubid
					where r.prrelid = c.oid and (r.prqual is not null or r.prattrs is not null)
						and b.pubname = any(${arrayLiteral([...ourPublications])}::text[])))
				order by c.oid), '[]')
				from family f join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace
				left join reprieve.protected_tables p on p.oid = c.oid) as tables`
	if (!row) return []
	const names = new Set(row.tables.map(formatTableName))
	return [
		...captureFindings(row.capture, limits),
		...row.capture.incidents
			.filter((incident) => !incident.stopsCapture && incident.table !== null && names.has(incident.table))
			.map(incidentFinding),
		...row.tables.flatMap(tableFindings),
		...(row.found < new Set(oids).size ? [gone] : []),
	]
}

const gone: Finding = {
	code: 'dropped',
	message: 'a table that the gate was asked about does not exist any more',
	remedy: 'Make a new plan.',
}

function tableFindings(table: GateTable): Finding[] {
	const name = formatTableName(table)
	const close = (code: string, message: string) => [{ code, table: name, message, remedy: `Protect ${name} again.` }]
	if (table.status === null && table.isPartition && table.isRootProtected) {
		return close('newPartition', `${name} is a new partition that upkeep has not protected yet`)
	}
	if (table.status === null) return close('notProtected', `${name} is not protected`)
	if (table.kind !== 'p') {
		const weakness = leafWeakness(table, name)
		if (weakness) return close(...weakness)
	}
	if (table.status === 'pending') return close('pending', `${name}: its protection is not proved yet`)
	return []
}

/** Why deletes on a leaf or ordinary table would not be archived whole; undefined when they would. */
export function leafWeakness(
	table: Pick<
		GateTable,
		'identity' | 'persistence' | 'isPartition' | 'isRelinked' | 'isDebezium' | 'memberOf' | 'partlyIn'
	>,
	name: string,
): [code: string, message: string] | undefined {
	if (table.identity !== 'f') {
		return ['identity', `${name} has replica identity ${table.identity}, not f (full)`]
	}
	if (table.persistence !== 'p') return ['unlogged', `${name} is not a logged table`]
	const missing = neededPublications(table).filter((needed) => !table.memberOf.includes(needed))
	if (missing.length === 0) return undefined
	const how = table.partlyIn.length > 0 ? 'only with a row filter or a column list' : 'not'
	return ['notPublished', `${name} is ${how} in publication ${missing.join(', ')}`]
}

/** Publications that must hold a leaf or ordinary table. */
export function neededPublications(table: {
	isPartition: boolean
	isRelinked: boolean
	isDebezium: boolean
}): string[] {
	return [
		publications.deletes.name,
		...(table.isRelinked ? [publications.relinks.name] : []),
		...(table.isPartition ? [publications.moves.name] : []),
		...(table.isDebezium ? [debeziumShape.name] : []),
	]
}
