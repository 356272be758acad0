import { arrayLiteral, type Session } from '@reprieve/postgres'

/** A user trigger or rule that inserting or updating a row would fire. */
export type Hook = {
	/** OID of the root that the table belongs to. */
	root: number
	/** Quoted name of the relation (the root or a leaf) that it is defined on. */
	relation: string
	name: string
	kind: 'trigger' | 'rule'
	/** O origin, R replica, A always. */
	enabled: 'O' | 'R' | 'A'
}

/** Enabled user triggers (INSERT, UPDATE) and rules of the tables and of their partitions. */
export async function readHooks(sql: Session, roots: number[]): Promise<Hook[]> {
	return await sql<Hook[]>`
		with recursive tree(root, oid) as (
			select r.oid, r.oid from unnest(${arrayLiteral(roots)}::oid[]) r(oid)
			union all select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
			join pg_class c on c.oid = i.inhrelid and c.relispartition)
		select * from (
			select tree.root::int8::float8 as root, format('%I.%I', n.nspname, c.relname) as relation, t.tgname as name,
				'trigger' as kind, t.tgenabled::text as enabled
			from tree join pg_trigger t on t.tgrelid = tree.oid and not t.tgisinternal and t.tgenabled <> 'D'
				and t.tgtype::int & 20 <> 0
			join pg_class c on c.oid = tree.oid join pg_namespace n on n.oid = c.relnamespace
			union all
			select tree.root::int8::float8, format('%I.%I', n.nspname, c.relname), r.rulename, 'rule', r.ev_enabled::text
			from tree join pg_rewrite r on r.ev_class = tree.oid and r.ev_type in ('2', '3') and r.ev_enabled <> 'D'
			join pg_class c on c.oid = tree.oid join pg_namespace n on n.oid = c.relnamespace) hooks
		order by root, relation, kind, name`
}

/** Whether this session may set `session_replication_role`, and which of the tables' trees it owns wholly. */
export async function readRights(sql: Session, roots: number[]): Promise<{ replica: boolean; owned: Set<number> }> {
	const [right] = await sql<{ replica: boolean }[]>`
		select has_parameter_privilege(current_user, 'session_replication_role', 'SET') as replica`
	const owned = await sql<{ oid: number }[]>`
		with recursive tree(root, oid) as (
			select r.oid, r.oid from unnest(${arrayLiteral(roots)}::oid[]) r(oid)
			union all select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
			join pg_class c on c.oid = i.inhrelid and c.relispartition)
		select root::int8::float8 as oid from tree join pg_class c on c.oid = tree.oid
		group by root having bool_and(pg_has_role(current_user, c.relowner, 'USAGE'))`
	return { replica: right?.replica ?? false, owned: new Set(owned.map((row) => row.oid)) }
}
