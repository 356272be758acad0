import type { VaultLineage } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { type ControlLineage, type Evidence, judgeLineage } from './judge.ts'

const identity = { systemIdentifier: '7', databaseOid: 5, database: 'shop', timeline: 1 }
const vault: VaultLineage = {
	id: 'a',
	systemIdentifier: '7',
	databaseOid: 5,
	slot: 'reprieve_5',
	timeline: 1,
	openedAt: '2026-01-01T00:00:00.000000Z',
	nonces: [
		{ nonce: 'n1', position: '0/1' },
		{ nonce: 'n2', position: '0/2' },
	],
}
const control: ControlLineage = {
	id: 'a',
	systemIdentifier: '7',
	databaseOid: 5,
	timeline: 1,
	nonce: 'n2',
	previousNonce: 'n1',
}
const slot = {
	name: 'reprieve_5',
	plugin: 'pgoutput',
	confirmed: 90n,
	walStatus: 'reserved',
	activePid: null,
	temporary: false,
	failover: true,
	synced: false,
}
const branch = { lineage: 'a', timeline: 1, ended: [] }
const whole: Evidence = { identity, control, vault, slot, archived: 100n, branch }

const copied = { ...slot, synced: true }
const promoted: Evidence = {
	...whole,
	identity: { ...identity, timeline: 2 },
	slot: copied,
	history: [{ timeline: 1, end: 95n }],
}
const stops = (why: string) => ({ kind: 'stop', code: 'TIMELINE_CHANGED', message: expect.stringContaining(why) })

const cases: [what: string, evidence: Evidence, verdict: object][] = [
	['nothing known yet is opened', { identity }, { kind: 'open' }],
	['an opening cut short is taken up', { identity, control: { ...control, nonce: null } }, { kind: 'open', id: 'a' }],
	[
		'an opening cut short before the first position is taken up',
		{ ...whole, archived: undefined },
		{ kind: 'open', id: 'a' },
	],
	['a whole lineage goes on', whole, { kind: 'continue', archived: 100n, isSlotUsable: true }],
	[
		'a nonce that the vault has not heard of yet is no rewind',
		{ ...whole, control: { ...control, nonce: 'n3', previousNonce: 'n2' } },
		{ kind: 'continue' },
	],
	['a slot beyond the vault is a gap', { ...whole, slot: { ...slot, confirmed: 101n } }, { gap: { from: 100n } }],
	['a slot that is gone is a gap', { ...whole, slot: undefined }, { gap: { from: 100n }, isSlotUsable: false }],
	[
		'a slot that lost its log is a gap',
		{ ...whole, slot: { ...slot, walStatus: 'lost' } },
		{ gap: { from: 100n }, isSlotUsable: false },
	],
	['a vault that knows a lineage the database does not', { ...whole, control: undefined }, { code: 'LINEAGE_UNKNOWN' }],
	['an acknowledged lineage that the vault does not know', { ...whole, vault: undefined }, { code: 'VAULT_UNKNOWN' }],
	['another lineage', { ...whole, control: { ...control, id: 'b' } }, { code: 'LINEAGE_CHANGED' }],
	['another system', { ...whole, identity: { ...identity, systemIdentifier: '8' } }, { code: 'LINEAGE_CHANGED' }],
	['another database', { ...whole, identity: { ...identity, databaseOid: 6 } }, { code: 'LINEAGE_CHANGED' }],
	['another timeline', { ...whole, identity: { ...identity, timeline: 2 } }, { code: 'TIMELINE_CHANGED' }],
	['a promotion that brought the slot along is followed', promoted, { kind: 'promote', end: 95n }],
	[
		'a promoted standby that lacks the newest nonce is followed',
		{ ...promoted, control: { ...control, nonce: 'n1', previousNonce: null } },
		{ kind: 'promote' },
	],
	['a promotion without the slot', { ...promoted, slot: undefined }, stops('did not come along')],
	['a promotion with a slot of its own', { ...promoted, slot }, stops('not the synchronized copy')],
	[
		'a promoted slot that is lost',
		{ ...promoted, slot: { ...copied, walStatus: 'lost' } },
		stops('not the synchronized'),
	],
	['a timeline that another one was promoted to', { ...promoted, history: [] }, stops('not in its history')],
	[
		'a history that differs from the one followed before',
		{ ...promoted, branch: { lineage: 'a', timeline: 1, ended: [{ timeline: 1, end: 94n }] } },
		stops('not in its history'),
	],
	[
		'a promoted database that knows none of the nonces',
		{ ...promoted, control: { ...control, nonce: 'n0', previousNonce: null } },
		stops('none of the newest acknowledgements'),
	],
	[
		'a promotion of a database whose changes come through Kafka',
		{ ...promoted, vault: { ...vault, channel: { kind: 'debezium', epoch: 1 } } },
		stops('through Kafka'),
	],
	[
		'the primary of before a promotion that was followed',
		{ ...whole, vault: { ...vault, timeline: 2 } },
		stops('before a promotion'),
	],
	[
		'the primary of before a promotion whose following was cut short',
		{ ...whole, branch: { lineage: 'a', timeline: 1, ended: [{ timeline: 1, end: 95n }] } },
		stops('followed a promotion away'),
	],
	[
		'a database that does not know the newest nonce',
		{ ...whole, control: { ...control, nonce: 'n1', previousNonce: 'n0' } },
		{ code: 'DATABASE_REWOUND' },
	],
]

test.each(cases)('%s', (_what, evidence, verdict) => {
	expect(judgeLineage(evidence)).toMatchObject(verdict)
})

test('a slot that stands at the vault leaves no gap', () => {
	expect(judgeLineage({ ...whole, slot: { ...slot, confirmed: 100n } })).not.toHaveProperty('gap')
})
