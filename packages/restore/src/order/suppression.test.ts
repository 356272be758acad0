import type { SourceTable } from '@reprieve/contracts'
import type { ForeignKeyEnd } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import type { Reference } from '../catalog/references.ts'
import type { Hook } from '../catalog/triggers.ts'
import type { Unique } from '../catalog/uniques.ts'
import { chooseSuppression, mayCheckAtOnce, type SuppressionFacts } from './suppression.ts'

const table = { oid: 1, schema: 'public', name: 't', key: ['id'] as string[] } as SourceTable
const hook: Hook = { root: 1, relation: 'public.t', name: 'touch', kind: 'trigger', enabled: 'O' }
const unique: Unique = {
	table: 1,
	root: 1,
	name: 'u',
	parts: [],
	nullsEqual: false,
	exclusion: false,
	deferrable: false,
}

const usual: SuppressionFacts = {
	tables: [table],
	hooks: [hook],
	uniques: [unique],
	references: [],
	rights: { replica: true, owned: new Set([1]) },
	updated: [],
	triggers: 'suppress',
}

function choose(facts: Partial<SuppressionFacts>) {
	return chooseSuppression({ ...usual, ...facts })
}

test('without triggers nothing is suppressed, so that the server makes every check itself', () => {
	expect(choose({ hooks: [] })).toMatchObject({ mode: 'none' })
})

test('replica mode is taken where nothing is lost by it', () => {
	expect(choose({})).toMatchObject({ mode: 'replica' })
})

test.each<[string, Partial<SuppressionFacts>]>([
	['it is not granted', { rights: { replica: false, owned: new Set([1]) } }],
	['a trigger fires in it', { hooks: [{ ...hook, enabled: 'R' }] }],
	['a trigger fires always', { hooks: [{ ...hook, enabled: 'A' }] }],
	['it would skip a deferrable unique constraint', { uniques: [{ ...unique, deferrable: true }] }],
	[
		'it would not keep what references more than the key',
		{ updated: [{ name: 'f', parent: { rootOid: 1, columns: ['code'] } as ForeignKeyEnd }] },
	],
	['it would skip a temporal foreign key', { references: [{ child: 1, period: true } as Reference] }],
])('triggers are disabled where replica mode will not do: %s', (_, facts) => {
	expect(choose(facts)).toMatchObject({ mode: 'disable', hooks: facts.hooks ?? [hook] })
})

test('foreign keys are checked at once only where all parents can be locked and replica mode loses nothing', () => {
	const reference = { child: 1, period: false, lockable: true } as Reference
	const may = (facts: Partial<SuppressionFacts>) =>
		mayCheckAtOnce({ ...usual, hooks: [], references: [reference], ...facts })
	expect(may({})).toBe(true)
	expect(may({ references: [] })).toBe(false)
	expect(may({ references: [reference, { ...reference, lockable: false }] })).toBe(false)
	expect(may({ uniques: [{ ...unique, deferrable: true }] })).toBe(false)
})

test('what can be neither is a finding', () => {
	const rights = { replica: false, owned: new Set<number>() }
	expect(choose({ rights })).toMatchObject({ code: 'triggersNotSuppressible' })
	const rule: Hook = { ...hook, kind: 'rule' }
	expect(choose({ hooks: [rule], rights: { replica: false, owned: new Set([1]) } })).toHaveProperty('remedy')
})

test('a rule is refused where triggers are to fire: it may swallow rows', () => {
	expect(choose({ hooks: [{ ...hook, kind: 'rule' }], triggers: 'fire' })).toHaveProperty('code')
	expect(choose({ triggers: 'fire' })).toMatchObject({ mode: 'none' })
})
