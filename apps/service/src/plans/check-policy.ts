import { type Policy, quoteTable, type Where } from '@reprieve/contracts'
import { checkWhere, readIncoming, type Sql } from '@reprieve/postgres'
import { compileCandidates } from './candidates/compile.ts'
import { toPlanError } from './failure.ts'
import { findPolicyTable, type PolicyTable } from './source.ts'

/**
 * Asks the catalog whether a policy can be evaluated: tables, columns, types, operators, values, rights. Reads no rows.
 * Throws INVALID or NOT_FOUND naming what does not fit, FORBIDDEN naming the right that the planning role lacks.
 */
export async function checkPolicy(sql: Sql, policy: Policy): Promise<PolicyTable> {
	try {
		return await check(sql, policy)
	} catch (error) {
		throw toPlanError(error)
	}
}

async function check(sql: Sql, policy: Policy): Promise<PolicyTable> {
	const found = await findPolicyTable(sql, policy.table)
	const { scanned, root } = found
	if (policy.where !== undefined) await checkWhere(sql, policy.where as Where, scanned)
	const incoming = await readIncoming(sql, [root.oid])
	const context = { sql, table: scanned, scan: quoteTable(scanned), key: root.key, incoming }
	const candidates = await compileCandidates(withoutCap(policy), context)
	await sql.unsafe(`select from (${candidates.text}) candidates limit 0`, candidates.params)
	return found
}

/** The cluster cap reads rows; it belongs to the evaluation. */
function withoutCap(policy: Policy): Policy {
	return policy.kind === 'duplicates' ? { ...policy, maxCluster: undefined } : policy
}
