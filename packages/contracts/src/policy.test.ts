import { describe, expect, test } from 'vitest'
import { policy, type Where, where } from './policy.ts'

function nested(depth: number): unknown {
	let value: unknown = { column: 'a', op: 'isNull' }
	for (let level = 1; level < depth; level++) value = { not: value }
	return value
}

describe('a predicate', () => {
	test('may be 16 levels deep and not 17', () => {
		expect(where.safeParse(nested(16)).success).toBe(true)
		expect(where.safeParse(nested(17)).success).toBe(false)
	})

	test('of hostile depth is refused without exhausting the stack', () => {
		expect(where.safeParse(nested(100_000)).success).toBe(false)
	})

	test('has at most 1,000 nodes', () => {
		const leaf: Where = { column: 'a', op: 'eq', value: 1 }
		expect(where.safeParse({ or: Array.from({ length: 999 }, () => leaf) }).success).toBe(true)
		expect(where.safeParse({ or: Array.from({ length: 1000 }, () => leaf) }).success).toBe(false)
	})

	test.each([
		{ column: 'a', op: 'raw', value: '1' },
		{ column: 'a', op: 'eq' },
		{ column: 'a', op: 'eq', value: null },
		{ column: 'a', op: 'isNull', value: 1 },
		{ and: [], or: [] },
		{ sql: 'true' },
	])('refuses %j', (value) => {
		expect(where.safeParse(value).success).toBe(false)
	})
})

describe('a policy', () => {
	test.each(['P90D', 'P1Y2M', 'PT12H', 'P1W', '2026-01-01T00:00:00Z'])('takes olderThan %s', (olderThan) => {
		expect(policy.safeParse({ kind: 'stale', table: 't', column: 'c', olderThan }).success).toBe(true)
	})

	test.each(['P', 'PT', '90 days', 'yesterday', '-P1D', ''])('refuses olderThan %j', (olderThan) => {
		expect(policy.safeParse({ kind: 'stale', table: 't', column: 'c', olderThan }).success).toBe(false)
	})

	test('refuses unknown fields', () => {
		expect(policy.safeParse({ kind: 'match', table: 't', where: { and: [] }, sql: 'x' }).success).toBe(false)
	})
})
