import type { Finding } from '@reprieve/contracts'
import type { PlanBody } from '@reprieve/control'
import { readRules, type Session } from '@reprieve/postgres'

/**
 * Rules that no batch of the plan gets past, accepted or not: it deletes and relinks in one statement with data-modifying
 * CTEs, to which PostgreSQL applies no DO ALSO, no DO INSTEAD NOTHING and no conditional rule, and any other keeps the rows.
 */
export async function ruleFindings(sql: Session, { tables }: PlanBody): Promise<Finding[]> {
	const rules = await readRules(
		sql,
		tables.map(({ oid }) => oid),
	)
	return tables.flatMap(({ oid, table, action }) => {
		const event = action === 'delete' ? 'delete' : 'update'
		return rules
			.filter((rule) => rule.oid === oid && rule.event === event)
			.map(({ name }) => ({
				code: 'ruleStopsRuns',
				table,
				message: `${table} has the rule ${name} on ${event.toUpperCase()}: PostgreSQL runs no batch beside it`,
				remedy: `Drop the rule, or ALTER TABLE ${table} DISABLE RULE ${name}.`,
			}))
	})
}
