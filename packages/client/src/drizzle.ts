export { collapseSpaces, digits, lower, trim } from './drizzle/normalise.ts'
export {
	duplicatesOf,
	incompleteIn,
	type Keep,
	matchesIn,
	orphansIn,
	type PolicyOf,
	staleIn,
} from './drizzle/policies.ts'
export { tableName } from './drizzle/table.ts'
export { and, compare, isIn, isNotNull, isNull, like, not, or, type TableWhere } from './drizzle/where.ts'
