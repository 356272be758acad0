import type { Mutant } from '../mutant.ts'

const lineage = 'apps/sidecar/src/lineage'
const branch = 'packages/vault/src/branch.ts'
const judge = `${lineage}/judge.test.ts`
const follow = `${lineage}/promotion.test.ts`
const branches = 'packages/vault/src/branch.test.ts'
const promotion = 'test/faults/promotion.test.ts'
const undone =
	'what a promoted standby never had is marked undone, told, and left out; capture goes on where it branched off'

/** Guards of exactness 1.3: a standby is promoted. */
export const promotionGuards: Mutant[] = [
	{
		name: 'hands out what a promoted standby never had as if it had happened',
		rule: '1.3',
		file: 'packages/vault/src/transactions.ts',
		before: 'yield isUndone(transaction) ? {',
		after: 'yield isUndone(transaction) && transaction.end < 0n ? {',
		tests: { [promotion]: [undone] },
	},
	{
		name: 'restores what a promoted standby never had',
		rule: '1.3',
		file: 'packages/restore/src/selection/timelines.ts',
		before: '!known.get(identify(rows, row))?.isUndone',
		after: 'known.size >= 0',
		tests: { [promotion]: [undone] },
	},
	{
		name: 'takes a change of another timeline at its place for it',
		rule: '1.3',
		file: 'packages/restore/src/execute/batch.ts',
		before: '${timeline(row)}/${rows.position[row]}',
		after: '1/${rows.position[row]}',
		tests: {
			'test/restore/timelines.test.ts': [
				'changes at one place of two timelines are told apart where they go through stages',
			],
		},
	},
	{
		name: 'copies a change of another timeline straight in at its place',
		rule: '1.3',
		file: 'packages/restore/src/execute/straight.ts',
		before: 'timelines.of(rows, row) === share.timelines[place]',
		after: 'true',
		tests: {
			'test/restore/timelines.test.ts': [
				'changes at one place of two timelines are restored together, of one key the newer',
				'a change of one timeline is restored without what the other has at its place',
			],
		},
	},
	{
		name: 'says nothing of what a promotion undid',
		rule: '1.3',
		file: `${lineage}/promotion.ts`,
		before: 'if (undone.length > 0) await recordIncident',
		after: 'if (undone.length < 0) await recordIncident',
		tests: { [promotion]: [undone] },
	},
	{
		name: 'overlooks rows beyond the end that no receipt names',
		rule: '1.3',
		file: `${lineage}/promotion.ts`,
		before: 'if (to !== undefined && to >= from) await',
		after: 'if (to !== undefined && to < 0n) await',
		tests: { [promotion]: [undone] },
	},
	{
		name: 'keeps acknowledgements that the promoted database never heard of',
		rule: '1.3',
		file: `${lineage}/promotion.ts`,
		before: 'return nonces.slice(0, newest + 1)',
		after: 'return nonces.slice(0, newest + nonces.length)',
		tests: { [follow]: ['acknowledgements that the promoted database never heard of are let go of'] },
	},
	{
		name: 'guesses whose a record without a lineage is',
		rule: '1.3',
		file: `${lineage}/promotion.ts`,
		before: 'if (!isOnly && found.some',
		after: 'if (!isOnly && found.length < 0 && found.some',
		tests: { [follow]: ['records that do not name their lineage stop a vault that has several'] },
	},
	{
		name: 'counts what another lineage recorded as undone',
		rule: '1.3',
		file: `${lineage}/promotion.ts`,
		before: '(of.lineage ?? lineage) === lineage)',
		after: '(of.lineage ?? lineage) !== undefined)',
		tests: { [follow]: ['what another lineage recorded beyond the end is not undone'] },
	},
	{
		name: 'follows a standby without a copy of the slot',
		rule: '1.3',
		file: `${lineage}/judge.ts`,
		before: "if (!slot.synced || slot.walStatus === 'lost')",
		after: "if (slot.walStatus === 'never')",
		tests: { [judge]: ['a promotion with a slot of its own', 'a promoted slot that is lost'] },
	},
	{
		name: 'follows a server of another history',
		rule: '1.3',
		file: `${lineage}/judge.ts`,
		before: 'if (!left || !isSame) return',
		after: 'if (!left) return',
		tests: { [judge]: ['a history that differs from the one followed before'] },
	},
	{
		name: 'follows a promotion of changes that come through Kafka',
		rule: '1.3',
		file: `${lineage}/judge.ts`,
		before: "if (isOnItsWay || (vault.channel && vault.channel.kind !== 'stream'))",
		after: 'if (isOnItsWay)',
		tests: { [judge]: ['a promotion of a database whose changes come through Kafka'] },
	},
	{
		name: 'follows a standby that knows no acknowledgement of the vault',
		rule: '1.3',
		file: `${lineage}/judge.ts`,
		before: 'if (!knows(control.nonce) && !knows(control.previousNonce))',
		after: "if (control.nonce === '')",
		tests: { [judge]: ['a promoted database that knows none of the nonces'] },
	},
	{
		name: 'goes on with the primary of before a promotion',
		rule: '1.3',
		file: `${lineage}/judge.ts`,
		before: 'if (!ended) return undefined',
		after: 'if (!ended || ended.timeline > 0) return undefined',
		tests: { [judge]: ['the primary of before a promotion whose following was cut short'] },
	},
	{
		name: 'counts the end of a timeline to it',
		rule: '1.3',
		file: branch,
		before: 'lsn >= left.end)',
		after: 'lsn > left.end)',
		tests: { [branches]: ['a commit at or behind the end of its own timeline never happened'] },
	},
	{
		name: 'gives a commit the timeline of its connection',
		rule: '1.3',
		file: branch,
		before: 'position < end)?.timeline ?? timeline',
		after: 'position < 0n && end < 0n)?.timeline ?? timeline',
		tests: { [branches]: ['a commit belongs to the timeline that the history gives for its position'] },
	},
	{
		name: 'skips what the new primary commits below the old watermark',
		rule: '1.3',
		file: branch,
		before: 'inherited === undefined || inherited < limit ? inherited : limit',
		after: 'inherited',
		tests: {
			[branches]: ['what a log has of timelines that were left counts as far as it is common history'],
			[promotion]: [undone],
		},
	},
	{
		name: 'says nothing of standbys that may lack what is archived',
		rule: '1.3',
		file: 'packages/postgres/src/protect/server-facts.ts',
		before: 'if (facts.unguarded.length > 0) {',
		after: 'if (facts.unguarded.length < 0) {',
		tests: {
			[promotion]: ['standbys that synchronized_standby_slots does not name are a finding until it is accepted'],
		},
	},
]
