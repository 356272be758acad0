import { type Finding, formatTableName, type SourceTable } from '@reprieve/contracts'
import type { IncomingForeignKey } from '@reprieve/postgres'
import type { Reference } from '../catalog/references.ts'
import type { Hook } from '../catalog/triggers.ts'
import type { Unique } from '../catalog/uniques.ts'

/** How user triggers are kept from firing; `none` when there are none, or when they are to fire. */
export type Suppression = { mode: 'none' | 'replica' | 'disable'; hooks: Hook[] }

export type SuppressionFacts = {
	tables: SourceTable[]
	hooks: Hook[]
	uniques: Unique[]
	references: Reference[]
	rights: { replica: boolean; owned: Set<number> }
	/** Foreign keys that point at the tables, where rows of the tables are updated: their check on the parent's side. */
	updated: Pick<IncomingForeignKey, 'name' | 'parent'>[]
	triggers: 'suppress' | 'fire'
}

/** Code of a finding that makes the restore impossible for this session's rights. */
export const suppressionCode = 'triggersNotSuppressible'

/**
 * Chooses for tables that are written in one statement (exactness.md 9.4): `session_replication_role` only where nothing
 * that it would skip or fire counts, else user triggers disabled, else a finding.
 */
export function chooseSuppression(facts: SuppressionFacts): Suppression | Finding {
	const { tables, hooks, rights } = facts
	const rules = hooks.filter((hook) => hook.kind === 'rule')
	if (facts.triggers === 'fire')
		return rules.length > 0 ? refusal(tables, rules, 'a rule may swallow rows') : { mode: 'none', hooks: [] }
	if (hooks.length === 0) return { mode: 'none', hooks }
	const obstacle = replicaObstacle(facts)
	if (obstacle === undefined) return { mode: 'replica', hooks }
	const unowned = tables.filter(
		(table) => hooks.some((hook) => hook.root === table.oid) && !rights.owned.has(table.oid),
	)
	if (rules.length > 0) return refusal(tables, rules, `${obstacle}, and a rule cannot be disabled within a batch`)
	if (unowned.length > 0) return refusal(tables, hooks, `${obstacle}, and the restoring role does not own the table`)
	return { mode: 'disable', hooks }
}

/**
 * Whether rows may be written without their foreign keys' own triggers, each of which looks up one row's parent: one statement for all
 * of them costs half as much.
 */
export function mayCheckAtOnce(facts: SuppressionFacts): boolean {
	const { references } = facts
	const isCheckable = references.length > 0 && references.every(({ lockable }) => lockable)
	return isCheckable && replicaObstacle(facts) === undefined
}

/** Why `session_replication_role=replica` will not do; undefined when it will. */
export function replicaObstacle(facts: SuppressionFacts): string | undefined {
	const oids = new Set(facts.tables.map((table) => table.oid))
	if (!facts.rights.replica) return 'session_replication_role is not granted'
	const firing = facts.hooks.find((hook) => hook.enabled !== 'O')
	if (firing) return `${firing.kind} "${firing.name}" fires in replica mode too`
	const deferrable = facts.uniques.find((unique) => unique.deferrable && oids.has(unique.root))
	if (deferrable) return `replica mode would skip the deferrable constraint "${deferrable.name}"`
	const period = facts.references.find((reference) => reference.period && oids.has(reference.child))
	if (period) return `replica mode would skip the temporal foreign key "${period.name}"`
	const beyondKey = facts.updated.find(({ parent }) => {
		const key = facts.tables.find((table) => table.oid === parent.rootOid)?.key
		return key && parent.columns.some((column) => !key.includes(column))
	})
	if (beyondKey) return `replica mode would not keep rows that reference more than the key ("${beyondKey.name}")`
	return undefined
}

function refusal(tables: SourceTable[], hooks: Hook[], why: string): Finding {
	const names = [...new Set(hooks.map((hook) => `${hook.kind} "${hook.name}"`))].join(', ')
	return {
		code: suppressionCode,
		table: tables.map(formatTableName).join(', '),
		message: `${names} cannot be kept from firing: ${why}`,
		remedy:
			'Grant SET ON PARAMETER session_replication_role to the restoring role, make it the table owner, or drop the rule.',
	}
}
