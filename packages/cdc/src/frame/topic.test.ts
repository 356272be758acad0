import { describe, expect, test } from 'vitest'
import { randomFrom } from './random.ts'
import { frameTopic, tableOfTopic, transactionsTopic } from './topic.ts'

describe('the topic of a table', () => {
	test.each([
		['public', 'order_items', 'reprieve.public.order_items'],
		['public', 'Order-Items2', 'reprieve.public.Order-Items2'],
		['a.b', 'c', 'reprieve.a..2eb.c'],
		['a', 'b.c', 'reprieve.a.b..2ec'],
		['a', '.', 'reprieve.a...2e'],
		['sales_eu', 'orders', 'reprieve.sales..5feu.orders'],
		['sales', 'eu_orders', 'reprieve.sales.eu_orders'],
		['public', '_a__b_', 'reprieve.public...5fa_..5fb_'],
		['größe', '表', 'reprieve.gr..c3..b6..c3..9fe...e8..a1..a8'],
		['public', 'transactions', 'reprieve.public.transactions'],
		['public', 'a b"c/d', 'reprieve.public.a..20b..22c..2fd'],
	])('%s . %s is %s, and back', (schema, name, topic) => {
		expect(frameTopic('reprieve', { schema, name })).toBe(topic)
		expect(tableOfTopic('reprieve', topic)).toEqual({ schema, name })
	})

	test('follows a prefix that has dots itself', () => {
		const table = { schema: 'a', name: 'b' }
		expect(frameTopic('team.shop_1', table)).toBe('team.shop_1.a.b')
		expect(tableOfTopic('team.shop_1', 'team.shop_1.a.b')).toEqual(table)
		expect(tableOfTopic('team', 'team.shop_1.a.b')).toBeUndefined()
	})

	test('is a digest where the name would be longer than the broker takes', () => {
		const [schema, name] = ['s'.repeat(63), 'n'.repeat(63)]
		expect(frameTopic('reprieve', { schema, name })).toBe(`reprieve.${schema}.${name}`)
		const [wide, other] = ['表'.repeat(21), `${'表'.repeat(20)}裏`]
		const topics = [wide, other].map((name) => frameTopic('reprieve', { schema: wide, name }))
		expect(topics[0]).toBe('reprieve.digest-26cb2cf9cd2ff823727a660b7efa03fef6ca58780ce83b02afe159e1d9ebaaf2')
		expect(topics[1]).not.toBe(topics[0])
		expect(tableOfTopic('reprieve', topics[0] as string)).toBeUndefined()
	})

	test('is refused under a prefix that leaves no room', () => {
		const wide = { schema: '表'.repeat(21), name: 'n' }
		expect(frameTopic('p'.repeat(177), wide)).toHaveLength(249)
		expect(() => frameTopic('p'.repeat(178), wide)).toThrow(
			new RangeError('the prefix has 178 characters, it may have 177'),
		)
	})
})

test.each([
	'reprieve.transactions',
	'reprieve.parked',
	'reprieve.a',
	'other.a.b',
	'reprieve.a.b.c',
	'reprieve.a..2Eb.c',
	'reprieve.a_b.c',
	'reprieve.a..62.c',
	'reprieve..a',
])('%s is no table of reprieve', (topic) => expect(tableOfTopic('reprieve', topic)).toBeUndefined())

test('no two tables have topics that the broker takes for one, nor does the topic of transactions', () => {
	const seed = 20_261_126
	const random = randomFrom(seed)
	const part = () => Array.from({ length: 1 + random(4) }, () => '__..-a25ef'[random(10)]).join('')
	const tables = new Map<string, { schema: string; name: string }>()
	for (let round = 0; round < 40_000; round++) {
		const table = { schema: part(), name: part() }
		const topic = frameTopic('p', table)
		const unified = topic.replaceAll('.', '_')
		const seen = tables.get(unified)
		if (seen && (seen.schema !== table.schema || seen.name !== table.name)) expect(seen, `seed ${seed}`).toEqual(table)
		tables.set(unified, table)
	}
	expect(tables.size).toBeGreaterThan(10_000)
	expect(tables.has(transactionsTopic('p').replaceAll('.', '_'))).toBe(false)
})
