import { arrayLiteral, type Session } from '@reprieve/postgres'

/** A unique index or exclusion constraint: no two rows for which every operator holds. */
export type Unique = {
	/** OID of the table that it is defined on, and of its root. */
	table: number
	root: number
	name: string
	/** SQL over the table's bare column names, with the operator that compares it. */
	parts: { expression: string; operator: string }[]
	/** SQL over the table's bare column names; absent when the index is total. */
	predicate?: string
	nullsEqual: boolean
	exclusion: boolean
	/** Checked at the end of a statement or transaction, by a trigger that `session_replication_role=replica` skips. */
	deferrable: boolean
}

/**
 * Unique indexes and exclusion constraints of the tables and of their partitions alone, with operators fully qualified,
 * key indexes first. A partition's own stands for itself until all of its root's are there.
 */
export async function readUniques(sql: Session, oids: number[]): Promise<Unique[]> {
	const rows = await sql<{ unique: Omit<Unique, 'predicate'> & { predicate: string | null } }[]>`
		with recursive tree(root, oid) as (
			select r.oid, r.oid from unnest(${arrayLiteral(oids)}::oid[]) r(oid)
			union all select tree.root, h.inhrelid from tree join pg_inherits h on h.inhparent = tree.oid
			join pg_class c on c.oid = h.inhrelid and c.relispartition)
		select json_build_object(
			'table', i.indrelid::int8, 'root', tree.root::int8, 'name', c.relname, 'predicate', pg_get_expr(i.indpred, i.indrelid),
			'nullsEqual', i.indnullsnotdistinct, 'exclusion', i.indisexclusion, 'deferrable', not i.indimmediate or coalesce(x.condeferrable, false),
			'parts', (
				select json_agg(json_build_object(
					'expression', pg_get_indexdef(i.indexrelid, k::int, false),
					'operator', format('OPERATOR(%I.%s)', n.nspname, o.oprname)) order by k)
				from generate_series(1, i.indnkeyatts) k
				join pg_opclass p on p.oid = i.indclass[k - 1]
				join pg_operator o on o.oid = coalesce(x.conexclop[k], (
					select a.amopopr from pg_amop a where a.amopfamily = p.opcfamily and a.amopstrategy = 3
						and a.amoplefttype = p.opcintype and a.amoprighttype = p.opcintype))
				join pg_namespace n on n.oid = o.oprnamespace)) as unique
		from tree join pg_index i on i.indrelid = tree.oid join pg_class c on c.oid = i.indexrelid
		left join pg_constraint x on x.conindid = i.indexrelid and x.conrelid = i.indrelid and x.contype in ('p', 'u', 'x')
		where (i.indisunique or i.indisexclusion) and i.indisvalid
			and not exists (select from pg_inherits h join pg_index above on above.indexrelid = h.inhparent
				where h.inhrelid = i.indexrelid and above.indisvalid)
		order by tree.oid, i.indisprimary desc, i.indnkeyatts, i.indexrelid`
	return rows.map(({ unique }) => ({ ...unique, predicate: unique.predicate ?? undefined }))
}
