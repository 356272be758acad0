import { createHash } from 'node:crypto'
import { canonicalJson } from './chain.ts'

/** Fields that name things. Cells (where, key, keys) stay out: entries are kept for ever, erasure cannot reach them. */
const named = ['reason', 'hash', 'role', 'name', 'dryRun', 'truncate', 'conflict', 'triggers', 'acknowledge', 'parents']

/** What an act was about: an id, or the tables. */
export function targetOf(input: unknown): string | undefined {
	const { id, planId, tables, table, policy, selection, name } = fields(input)
	const one = [id, planId, table, fields(policy).table, fields(policy).name, fields(selection).run]
	const text = [...one, fields(selection).transaction, fields(selection).table, name].find(
		(part) => typeof part === 'string',
	)
	const found =
		text ?? (Array.isArray(tables) ? tables.filter((part) => typeof part === 'string').join(', ') : undefined)
	return typeof found === 'string' ? found.slice(0, 1000) : undefined
}

/** The input's names and a digest of all of it. */
export function describeInput(input: unknown): Record<string, unknown> | undefined {
	if (input === undefined) return undefined
	const all = fields(input)
	const { idempotencyKey: _, ...body } = all
	const shown = named.filter((name) => isSmall(all[name])).map((name) => [name, all[name]])
	const kind = fields(all.policy).kind
	return {
		...Object.fromEntries(shown),
		...(typeof kind === 'string' ? { kind: kind.slice(0, 100) } : {}),
		inputSha256: createHash('sha256').update(canonicalJson(body)).digest('hex'),
	}
}

function isSmall(value: unknown): boolean {
	return value !== undefined && (JSON.stringify(value)?.length ?? 0) <= 2000
}

function fields(value: unknown): Record<string, unknown> {
	return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
