import type { Mutant } from '../mutant.ts'

const capture = 'apps/sidecar/src/capture'
const archive = 'apps/sidecar/src/archive'
const lineage = 'apps/sidecar/src/lineage'
const crash = 'test/capture/crash.test.ts'
const lineages = 'test/capture/lineage.test.ts'
const partitions = 'test/capture/partitions.test.ts'
const transactions = 'test/capture/transactions.test.ts'
const tripwires = 'test/capture/tripwires.test.ts'

export const captureGuards: Mutant[] = [
	{
		name: 'acknowledges before the vault has it',
		rule: 'P2',
		file: `${archive}/loop.ts`,
		before: '		await inParallel(batch.commit, async',
		after: '		await this.#acknowledgement.advance(batch.acknowledge)\n		await inParallel(batch.commit, async',
		tests: { [crash]: ['the slot never stands beyond the vault, whatever step fails'] },
	},
	{
		name: 'writes receipts before the tables have their rows',
		rule: '7.4',
		file: `${archive}/loop.ts`,
		before: '		await inParallel(batch.commit, async',
		after:
			'		if (batch.append) await vault.transactions.append({ source: lineage, ...batch.append })\n		await inParallel(batch.commit, async',
		tests: { [crash]: ['the slot never stands beyond the vault, whatever step fails'] },
	},
	{
		name: 'reads the catalog before a transaction has taken effect',
		rule: '6.3',
		file: `${capture}/relations.ts`,
		before: '		await this.#untilVisible(xid)\n',
		after: '',
		tests: {
			'test/capture/visible.test.ts': [
				'a commit that is in the log before it has taken effect is archived by the catalog that it made',
			],
		},
	},
	{
		name: 'acknowledges a keepalive that the vault has not',
		rule: '6.5',
		file: `${archive}/batch.ts`,
		before: '...(isWorthAppending && { append:',
		after: '...(fresh.length > 0 && { append:',
		tests: {
			[`${archive}/batch.test.ts`]: ['a keepalive is made durable before it is acknowledged, and only when it is due'],
		},
	},
	{
		name: 'tries a value too long for text for ever',
		rule: '6.6',
		file: 'apps/sidecar/src/capture/undecodable.ts',
		before: 'if (stream.unreadable === undefined) {',
		after: 'if (isTooLong || stream.unreadable === undefined) {',
		tests: {
			'apps/sidecar/src/capture/undecodable.test.ts': [
				'a value too long for text is read again, then stops capture, a server short of memory is tried again',
			],
		},
	},
	{
		name: 'stands still from a long message to its row',
		rule: '6.6',
		file: 'apps/sidecar/src/capture/transcribe.ts',
		before: '			if (message.length > longBytes) await setTimeout(turnMs)\n',
		after: '',
		tests: { 'test/capture/texts.test.ts': ['others have their turn before a long message is handed on'] },
	},
	{
		name: 'stands still while it writes a long segment',
		rule: '6.6',
		file: 'packages/vault/src/segment/write.ts',
		before: '> longBytes) await setTimeout(turnMs)',
		after: '> longBytes * 8) await setTimeout(turnMs)',
		tests: {
			'packages/vault/src/segment/write.test.ts': ['others have their turn between the steps of a long segment'],
		},
	},
	{
		name: 'takes the binary form of a value for its text',
		rule: '6.6',
		file: 'apps/sidecar/src/capture/texts.ts',
		before: "	'json_out json_send': 'same',",
		after: "	'json_out json_send': 'same',\n	'int4out int4send': 'same',",
		tests: {
			'test/capture/texts.test.ts': [
				'the text of a binary value is what the server writes of it, whatever the type and the value',
			],
		},
	},
	{
		name: 'counts a keepalive in the middle of a transaction as received',
		rule: 'P2',
		file: 'apps/sidecar/src/session.ts',
		before: 'if (!assembler.isOpen) sink.keepalive(frame.walEnd)',
		after: 'sink.keepalive(frame.walEnd)',
		tests: {
			'apps/sidecar/src/session.test.ts': [
				'a keepalive in the middle of a transaction says nothing of what was received',
			],
		},
	},
	{
		name: 'hands over rows of a transaction that has not committed',
		rule: '6.1',
		file: `${archive}/buffer.ts`,
		before: 'share.rows.push(builder.slice(0, settled))',
		after: 'share.rows.push(builder.slice(0, builder.count))',
		tests: {
			[`${archive}/buffer.test.ts`]: ['rows of the transaction under way stay behind those of committed ones'],
		},
	},
	{
		name: 'names rows that were spilled before their commit',
		rule: '6.1',
		file: `${archive}/buffer.ts`,
		before: 'this.#spilled.push(',
		after: 'this.#ready.push(',
		tests: {
			[`${archive}/buffer.test.ts`]: ['what was spilled ahead of its commit is handed over only after it'],
		},
	},
	{
		name: 'goes on with a database that was rewound',
		rule: '1.2',
		file: `${lineage}/judge.ts`,
		before: 'judgeIdentity(identity, vault) ?? judgeNonce(control, vault) ??',
		after: 'judgeIdentity(identity, vault) ??',
		tests: {
			[`${lineage}/judge.test.ts`]: ['a database that does not know the newest nonce'],
			[lineages]: ['a database that was rewound behind an acknowledgement stops capture until it is adopted'],
		},
	},
	{
		name: 'acknowledges without naming the nonce in the database',
		rule: '1.2',
		file: `${lineage}/acknowledge.ts`,
		before: '		await nonces.advance(position)\n',
		after: '',
		tests: { [lineages]: ['a database that was rewound behind an acknowledgement stops capture until it is adopted'] },
	},
	{
		name: 'lets the vault end where a slot that is being made stands',
		rule: '1.1',
		file: 'packages/postgres/src/stream/slot.ts',
		before:
			'	if (row.confirmed === null) throw unfinished(row)\n	return { ...row, confirmed: parseLsn(row.confirmed) }',
		after: "	return { ...row, confirmed: parseLsn(row.confirmed ?? '0/0') }",
		tests: { [lineages]: ['a slot that is still being made has no place that the vault could end at'] },
	},
	{
		name: 'goes on with a clone of the database',
		rule: '1.1',
		file: `${lineage}/judge.ts`,
		before: 'if (databaseOid !== vault.databaseOid) {',
		after: 'if (databaseOid < 0) {',
		tests: {
			[`${lineage}/judge.test.ts`]: ['another database'],
			[lineages]: ['a clone of the database is noticed by its OID'],
		},
	},
	{
		name: 'goes on with another system',
		rule: '1.1',
		file: `${lineage}/judge.ts`,
		before: 'if (systemIdentifier !== vault.systemIdentifier) {',
		after: "if (systemIdentifier === '') {",
		tests: { [`${lineage}/judge.test.ts`]: ['another system'] },
	},
	{
		name: 'overlooks that the slot stands beyond the vault',
		rule: 'P1',
		file: `${lineage}/judge.ts`,
		before: 'if (slot.confirmed <= archived || isOnItsWay)',
		after: 'if (slot.confirmed >= 0n || isOnItsWay)',
		tests: {
			[`${lineage}/judge.test.ts`]: ['a slot beyond the vault is a gap'],
			[lineages]: ['a slot that somebody moved is a recorded gap and an incident; capture goes on behind it'],
		},
	},
	{
		name: 'skips a transaction delivered again by its position alone',
		rule: '1.2',
		file: `${capture}/redelivery.ts`,
		before: 'if (same?.xid !== transaction.xid || same.committedAt !== transaction.committedAt)',
		after: 'if (same === undefined)',
		tests: {
			[`${capture}/redelivery.test.ts`]: ['a transaction delivered again is known by xid and commit time'],
		},
	},
	{
		name: 'skips rows that a table has at their position, whoever deleted them',
		rule: '1.2',
		file: `${capture}/assemble.ts`,
		before: 'if (known?.xid === transaction.xid && known.committedAt === transaction.committedAt) return',
		after: 'if (known) return',
		tests: { [lineages]: ['rows that a table has at a position of another transaction stop capture'] },
	},
	{
		name: 'takes a lineage that another capture holds',
		rule: '1.1',
		file: 'packages/vault/src/ownership.ts',
		before: 'value.owner !== owner && !isFree',
		after: 'value.expiresAt < 0',
		tests: { 'test/vault/transactions.test.ts': ['a lease excludes other owners until it runs out'] },
	},
	{
		name: 'goes on after its lease ran out',
		rule: '1.1',
		file: `${lineage}/lease.ts`,
		before: '			if (clock.now() >= heldUntil) throw ranOut()',
		after: '			if (heldUntil === 0) throw ranOut()',
		tests: {
			[`${lineage}/lease.test.ts`]: [
				'a lease that went to another capture is lost at once, one that is not renewed when its time is up',
			],
		},
	},
	{
		name: 'renews a lease that another capture has had',
		rule: '1.1',
		file: 'packages/vault/src/ownership.ts',
		before: 'value.owner !== owner && isRenewal',
		after: 'value.owner !== owner && !isFree && isRenewal',
		tests: {
			'test/vault/transactions.test.ts': ['a lease that ran out is renewed unless another owner has had it since'],
		},
	},
	{
		name: 'loses its lease by standing still, though nobody took it',
		rule: '6.6',
		file: `${lineage}/lease.ts`,
		before:
			'			if (clock.now() >= heldUntil) await renew()\n			// That one may have been under way when this process stood still: what it got has run out too.\n			if (clock.now() >= heldUntil) await renew()\n',
		after: '',
		tests: {
			[`${lineage}/lease.test.ts`]: [
				'a capture that stood still for longer than its lease goes on, unless another has had it',
			],
		},
	},
	{
		name: 'loses its lease by standing still while it was being renewed',
		rule: '6.6',
		file: `${lineage}/lease.ts`,
		before: 'has run out too.\n			if (clock.now() >= heldUntil) await renew()\n',
		after: 'has run out too.\n',
		tests: { [`${lineage}/lease.test.ts`]: ['a renewal that was under way while a capture stood still is made again'] },
	},
	{
		name: 'takes a tag whose signature does not match',
		rule: 'P4',
		file: 'packages/cdc/src/message.ts',
		before: 'if (!isSigned(createPublicKey(pem), `${prefix}\\n${body}`, signature)) {',
		after: 'if (!isSigned(createPublicKey(pem), `${prefix}\\n${body}`, signature) && pem === body) {',
		tests: { 'packages/cdc/src/message.test.ts': ['a message whose body was altered is not verified'] },
	},
	{
		name: 'takes a tag for a seal',
		rule: 'P4',
		file: 'packages/cdc/src/message.ts',
		before: 'if (!isSigned(createPublicKey(pem), `${prefix}\\n${body}`, signature)) {',
		after:
			"if (!['reprieve.tag', 'reprieve.seal'].some((any) => isSigned(createPublicKey(pem), `${any}\\n${body}`, signature))) {",
		tests: { 'packages/cdc/src/message.test.ts': ['a message of one kind is not read as one of another'] },
	},
	{
		name: 'takes a message that nobody signed',
		rule: 'P4',
		file: `${capture}/messages.ts`,
		before: 'if (!message.verified || why) {',
		after:
			"Object.assign(message, { value: JSON.parse(Buffer.from(content).toString().replace(/^[^.]*[.][^.]*[.]/, '')) })\n	if (why && message.verified) {",
		tests: { [transactions]: ['signed by a key that the vault does not have'] },
	},
	{
		name: 'takes a tag that was signed for another lineage or transaction',
		rule: 'P4',
		file: `${capture}/messages.ts`,
		before: 'message.verified ? strangeness(message.value, lineage, transaction.xid) : message.why',
		after: 'message.verified ? undefined : message.why',
		tests: { [transactions]: ['signed for another lineage', 'copied from another transaction'] },
	},
	{
		name: 'takes messages of a key that is not valid any more',
		rule: 'P4',
		file: `${capture}/keys.ts`,
		before: 'return key.validTo === undefined || committedAt <= parseInstant(key.validTo)',
		after: 'return true',
		tests: { [`${capture}/keys.test.ts`]: ['a key counts for what committed while it was valid'] },
	},
	{
		name: 'ignores what the seal counts',
		rule: 'P4',
		file: `${capture}/transaction.ts`,
		before: "return differences.length > 0 ? report(differences.join('; ')) : undefined",
		after: 'return differences.length < 0 ? report("") : undefined',
		tests: { [transactions]: ['a seal that counts other rows than the log has is an incident'] },
	},
	{
		name: 'takes a tagged transaction without its seal',
		rule: 'P4',
		file: `${capture}/transaction.ts`,
		before: "if (!seal) return report('the transaction is tagged, but carries no seal')",
		after: 'if (!seal) return undefined',
		tests: { [transactions]: ['a tagged run without a seal is an incident'] },
	},
	{
		name: 'takes the seal of another batch',
		rule: 'P4',
		file: `${capture}/transaction.ts`,
		before: 'if (seal.id !== id || seal.batch !== batch) return',
		after: 'if (seal.batch < 0) return',
		tests: { [`${capture}/transaction.test.ts`]: ['a seal of another batch is an incident'] },
	},
	{
		name: 'archives a row of which only the key came',
		rule: 'P1',
		file: `${capture}/assemble.ts`,
		before: "		if (image === 'K') return\n",
		after: '',
		tests: { [tripwires]: ['a delete that comes with its key only is an incident and a gap, never a row of NULLs'] },
	},
	{
		name: 'says nothing of a NULL in a column that has none',
		rule: 'P1',
		file: `${capture}/tripwires.ts`,
		before: 'if (missing === undefined) return',
		after: 'if (missing !== null) return',
		tests: { [`${capture}/tripwires.test.ts`]: ['a NULL in a column that is NOT NULL is an incident'] },
	},
	{
		name: 'believes the NOT NULL of now of rows from before it',
		rule: 'P1',
		file: `${capture}/mapping.ts`,
		before: ' && !unproven?.includes(name)',
		after: '',
		tests: {
			[tripwires]: [
				'a row may have NULL in a column that became NOT NULL with its transaction or after it',
				'a row may have NULL in a column whose NOT NULL has not been validated',
			],
		},
	},
	{
		name: 'believes no NOT NULL, however old',
		rule: 'P1',
		file: `${capture}/catalog.ts`,
		before: '(age(a.xmin) between 0 and since.age or exists (',
		after: '(age(a.xmin) >= 0 or exists (',
		tests: {
			[tripwires]: ['a NULL in a column that was NOT NULL before the transaction is an incident from its first row on'],
		},
	},
	{
		name: 'says nothing of an identity that is not full',
		rule: 'P1',
		file: `${capture}/tripwires.ts`,
		before: "	if (identity !== 'f')\n",
		after: "	if (identity === '')\n",
		tests: { [`${capture}/tripwires.test.ts`]: ['a whole row of a table whose identity is not full is an incident'] },
	},
	{
		name: 'overlooks a TRUNCATE',
		rule: 'P1',
		file: `${capture}/tripwires.ts`,
		before: 'if (transaction.truncateTags.has(mapping.relation.oid)) return',
		after: 'if (mapping.relation.oid) return',
		tests: { [tripwires]: ['a TRUNCATE is an incident and a gap'] },
	},
	{
		name: 'excuses a TRUNCATE by the tag of another table',
		rule: '2.6',
		file: `${capture}/tripwires.ts`,
		before: 'if (transaction.truncateTags.has(mapping.relation.oid)) return',
		after: 'if (transaction.truncateTags.size > 0) return',
		tests: { [tripwires]: ['a tag for another table does not excuse a TRUNCATE'] },
	},
	{
		name: 'takes a move for a deletion',
		rule: '6.2',
		file: `${capture}/assemble.ts`,
		before: "if (departed.place) departed.mapping.buffer.setOp(departed.place, 'move')",
		after: '',
		tests: { [partitions]: ['a row that changes its partition is a move, not a deletion'] },
	},
	{
		name: 'takes a deletion followed by an insert for a move',
		rule: '6.2',
		file: `${capture}/assemble.ts`,
		before: 'if (!isMove(departed, target, row)) return',
		after: '',
		tests: { [partitions]: ['a deletion followed by the insert of another row is a deletion'] },
	},
	{
		name: "takes a relink without its parent's deletion",
		rule: '6.4',
		file: `${capture}/assemble.ts`,
		before: 'if (candidate?.parents.some((parent) => transaction.deletedParents.has(parent))) {',
		after: 'if (candidate) {',
		tests: {
			[partitions]: [
				'a foreign key that SET NULL rewrites is a relink with its new value, any other update is nothing',
			],
		},
	},
	{
		name: 'matches a column by its name alone',
		rule: '7.5',
		file: `${capture}/match.ts`,
		before: 'known.name === column.name && known.typeOid === column.typeOid && known.typmod === column.typmod,',
		after: 'known.name === column.name,',
		tests: {
			[`${capture}/match.test.ts`]: ['the same name with another type or modifier is no match'],
			[tripwires]: ['a column that may be one of two stops capture, with its table and what to do'],
		},
	},
	{
		name: 'takes an old schema version of another table of the same name',
		rule: '7.5',
		file: `${capture}/relations.ts`,
		before: 'findLast((version) => version.oid === oid)',
		after: 'at(-1)',
		tests: { [partitions]: ['a table made anew under the name of one that was dropped keeps its own columns'] },
	},
	{
		name: 'forgets that a value is NULL when it decodes a row',
		rule: 'P7',
		file: 'packages/cdc/src/pgoutput/decode.ts',
		before: 'else if (kind === nullKind) tuple.length[place] = nullLength',
		after: 'else if (kind === nullKind) tuple.length[place] = 0',
		tests: {
			'packages/cdc/src/pgoutput/decode.test.ts': [
				'reads updates with and without an old row and keeps unchanged values apart from NULL',
			],
		},
	},
	{
		name: 'forgets that a value is NULL when rows move on in memory',
		rule: 'P7',
		file: 'packages/cdc/src/rows/column.ts',
		before: 'this.#present.set(present)\n\t}',
		after: 'this.#present.fill(1)\n\t}',
		tests: {
			'packages/cdc/src/rows/builder.test.ts': [
				'a slice from the middle begins at offset 0 and rebuilds into equal rows',
			],
		},
	},
	{
		name: 'archives a toasted value that was not sent',
		rule: 'P7',
		file: 'packages/cdc/src/rows/builder.ts',
		before: 'if (length < nullLength) throw',
		after: 'if (length < -9) throw',
		tests: { 'packages/cdc/src/rows/builder.test.ts': ['refuses an old row whose toasted value was not sent'] },
	},
	{
		name: "takes the walsender's settings from database and role",
		rule: '3',
		file: 'packages/postgres/src/stream/open.ts',
		before: "replication: 'database', ...walsenderSettings }",
		after: "replication: 'database' }",
		tests: {
			'test/capture/exact.test.ts': [
				'archives every value as the text that PostgreSQL itself gives, whatever the settings of database and role',
			],
		},
	},
	{
		name: "lets the database's transaction_timeout cut decoding",
		rule: '3',
		file: 'packages/postgres/src/stream/open.ts',
		before: '\t\tsetup: sessionSetup,\n',
		after: '',
		tests: {
			'test/capture/transactions.test.ts': [
				'a transaction many times larger than the buffer is archived whole and in order',
			],
		},
	},
]
