import { createHash } from 'node:crypto'

/** What the hash of an audit entry covers, with the hash of the entry before. */
export type ChainedEntry = {
	seq: bigint
	at: string
	principal: string
	role: string
	act: string
	target: string | null
	outcome: string
	requestId: string
	detail: Record<string, unknown> | null
	previous: string
}

/** SHA-256 (hex) over the entry's canonical JSON. */
export function hashEntry(entry: ChainedEntry): string {
	const { seq, at, principal, role, act, target, outcome, requestId, detail, previous } = entry
	const fields = [String(seq), at, principal, role, act, target, outcome, requestId, detail, previous]
	return createHash('sha256').update(canonicalJson(fields)).digest('hex')
}

/** JSON with the members of every object in order of their names: equal values give equal text. */
export function canonicalJson(value: unknown): string {
	return JSON.stringify(value, (_, inner) => (isRecord(inner) ? sortedMembers(inner) : inner))
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sortedMembers(value: Record<string, unknown>): Record<string, unknown> {
	return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}
