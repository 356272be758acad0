import { quoteIdentifier, ReprieveError, type SourceColumn } from '@reprieve/contracts'
import type { Session } from '../session.ts'
import { bareTypeName, isBuiltInType } from './type-name.ts'

/**
 * How two columns are compared for equality: PostgreSQL's own `=` between built-in types, else the default equality of
 * the first column's type, to which the second is cast (an extension's operators lie outside the pinned search path).
 * Throws INVALID when the type has none.
 */
export async function readEqualityOperator(
	sql: Session,
	left: SourceColumn,
	right: SourceColumn,
): Promise<(left: string, right: string) => string> {
	if (isBuiltInType(left.typeOid) && isBuiltInType(right.typeOid)) return (a, b) => `${a} = ${b}`
	const own = isBuiltInType(left.typeOid) ? right : left
	const [operator] = await sql<{ builtIn: boolean; schema: string | null; name: string | null }[]>`
		with recursive base(oid) as (
			select ${own.typeOid}::int8::oid union select t.typbasetype from base b join pg_type t on t.oid = b.oid where t.typtype = 'd')
		select b.oid::int8 < 16384 as "builtIn", n.nspname as schema, o.oprname as name
		from base b join pg_type t on t.oid = b.oid and t.typtype <> 'd'
		left join pg_am m on m.amname = 'btree'
		left join pg_opclass c on c.opcdefault and c.opcmethod = m.oid and c.opcintype = case t.typtype when 'e' then 'anyenum'::regtype when 'c' then 'record'::regtype
			when 'r' then 'anyrange'::regtype when 'm' then 'anymultirange'::regtype
			else case when t.typsubscript = 'array_subscript_handler'::regproc and t.typelem <> 0 then 'anyarray'::regtype else t.oid end end
		left join pg_amop p on p.amopfamily = c.opcfamily and p.amoplefttype = c.opcintype and p.amoprighttype = c.opcintype and p.amopstrategy = 3
		left join pg_operator o on o.oid = p.amopopr left join pg_namespace n on n.oid = o.oprnamespace`
	if (operator?.builtIn) return (a, b) => `${a} = ${b}`
	if (!operator?.schema) {
		throw new ReprieveError(
			'INVALID',
			`columns "${left.name}" (${left.typeName}) and "${right.name}" (${right.typeName}) cannot be compared`,
		)
	}
	const type = bareTypeName(own)
	const equals = `operator(${quoteIdentifier(operator.schema)}.${operator.name})`
	return (a, b) => `${a}::${type} ${equals} ${b}::${type}`
}
