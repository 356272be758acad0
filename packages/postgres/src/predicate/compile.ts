import {
	formatTableName,
	quoteIdentifier,
	ReprieveError,
	type SourceColumn,
	type SourceTable,
	type Where,
} from '@reprieve/contracts'
import { bareTypeName, isBuiltInType, isCitext, isTextual } from '../catalog/type-name.ts'
import { arrayLiteral } from '../values/array.ts'

/** One comparison of a predicate, kept so that a refusal can name its column and value. */
export type CompiledLeaf = { column: string; op: string; text: string; values: { expression: string; value: string }[] }

/** SQL of a predicate: `text` for a WHERE clause, with placeholders for `params` (all bound as text). */
export type CompiledWhere = { text: string; params: string[]; leaves: CompiledLeaf[] }

const comparisons: Record<string, string> = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' }

/**
 * Turns a predicate into SQL over `alias`, with the rules of SQL for NULL. Names come from the catalog, values are
 * bound as text and cast by PostgreSQL to the column's type. Placeholders count from `from` (default 1). Throws INVALID
 * for a column that does not exist or an operator that its type does not have; values are checked by `checkWhere`.
 */
export function compileWhere(
	where: Where,
	table: SourceTable,
	alias: string,
	options: { from?: number } = {},
): CompiledWhere {
	const compiled: CompiledWhere = { text: '', params: [], leaves: [] }
	const target = { table, alias, from: options.from ?? 1, compiled }
	return { ...compiled, text: compileNode(where, target) }
}

type Target = { table: SourceTable; alias: string; from: number; compiled: CompiledWhere }
type Leaf = Extract<Where, { column: string }>
type Membership = Extract<Leaf, { op: 'in' | 'notIn' }>
type Comparison = Exclude<Extract<Leaf, { value: unknown }>, Membership>

function compileNode(node: Where, target: Target): string {
	if ('and' in node) return compileList(node.and, ' and ', 'true', target)
	if ('or' in node) return compileList(node.or, ' or ', 'false', target)
	if ('not' in node) return `(not ${compileNode(node.not, target)})`
	return compileLeaf(node, target)
}

function compileList(nodes: Where[], glue: string, empty: string, target: Target): string {
	if (nodes.length === 0) return empty
	return `(${nodes.map((node) => compileNode(node, target)).join(glue)})`
}

function compileLeaf(node: Leaf, target: Target): string {
	const column = requireColumn(target.table, node.column)
	const leaf: CompiledLeaf = { column: node.column, op: node.op, text: '', values: [] }
	target.compiled.leaves.push(leaf)
	leaf.text = `(${leafText(node, column, target, leaf)})`
	return leaf.text
}

function leafText(node: Leaf, column: SourceColumn, target: Target, leaf: CompiledLeaf): string {
	const operand = `${target.alias}.${quoteIdentifier(column.name)}`
	if (node.op === 'isNull') return `${operand} is null`
	if (node.op === 'isNotNull') return `${operand} is not null`
	if (node.op === 'in' || node.op === 'notIn') return compileMembership(node, column, operand, target, leaf)
	if (node.op === 'like' || node.op === 'ilike') return compilePattern(node as Comparison, column, operand, target)
	return compare(
		column,
		operand,
		comparisons[node.op] as string,
		bindValue(String((node as Comparison).value), column, target, leaf),
	)
}

function compileMembership(
	node: Membership,
	column: SourceColumn,
	operand: string,
	target: Target,
	leaf: CompiledLeaf,
): string {
	const isIn = node.op === 'in'
	if (node.value.length === 0) return isIn ? 'false' : 'true'
	const values = node.value.map(String)
	if (!hasOwnOperators(column) && !column.typeName.endsWith('[]')) {
		const type = bareTypeName(column)
		for (const value of values) leaf.values.push({ expression: type, value })
		const list = `${bind(arrayLiteral(values), target)}::${type}[]`
		return isIn ? `${operand} = any(${list})` : `${operand} <> all(${list})`
	}
	const parts = values.map((value) =>
		compare(column, operand, isIn ? '=' : '<>', bindValue(value, column, target, leaf)),
	)
	return parts.map((part) => `(${part})`).join(isIn ? ' or ' : ' and ')
}

function compilePattern(node: Comparison, column: SourceColumn, operand: string, target: Target): string {
	if (!isTextual(column)) {
		throw new ReprieveError('INVALID', `column "${column.name}" is ${column.typeName}: ${node.op} needs text`, {
			hint: 'Use eq, in or a range comparison.',
		})
	}
	const folds = node.op === 'ilike' || isCitext(column)
	return `${operand} ${folds ? 'ilike' : 'like'} ${bind(String(node.value), target)}::text`
}

/**
 * Types of extensions keep their operators outside pg_catalog, where the pinned search path does not look (citext would
 * silently compare as text); a comparison of records goes by the type's own default operators.
 */
function compare(column: SourceColumn, operand: string, operator: string, value: string): string {
	if (!hasOwnOperators(column)) return `${operand} ${operator} ${value}`
	return `case when ${operand} is null then null else row(${operand})::record ${operator} row(${value})::record end`
}

function hasOwnOperators(column: SourceColumn): boolean {
	return !isBuiltInType(column.typeOid) && (column.typeKind === 'b' || column.typeKind === 'd')
}

/** OIDs of bool, bytea, json and jsonb: postgres.js would write their text anew. */
const rewritten = new Set([16, 17, 114, 3802])

/** A value that is bound as its own type is read once; a text that is cast, in every row where the cast is but stable. */
function bindValue(value: string, column: SourceColumn, target: Target, leaf: CompiledLeaf): string {
	const type = bareTypeName(column)
	leaf.values.push({ expression: type, value })
	return `${bind(value, target)}${rewritten.has(column.typeOid) ? '::text' : ''}::${type}`
}

function bind(value: string, target: Target): string {
	target.compiled.params.push(value)
	return `$${target.from + target.compiled.params.length - 1}`
}

/** The column of that name. Throws INVALID listing what exists. */
export function requireColumn(table: SourceTable, name: string): SourceColumn {
	const column = table.columns.find((each) => each.name === name)
	if (column) return column
	throw new ReprieveError('INVALID', `${formatTableName(table)} has no column "${name}"`, {
		hint: `Its columns are ${table.columns.map((each) => each.name).join(', ')}.`,
	})
}
