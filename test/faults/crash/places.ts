import type { Place } from './point.ts'

const batch = 'apps/service/src/runs/worker/delete-batch.ts'
const archive = 'apps/sidecar/src/archive/loop.ts'

/** Places where several suites strike; each says itself at which pass, and what happens then. */
export const places = {
	tablesPublished: {
		name: 'tables are published, their protection is not recorded',
		file: 'packages/postgres/src/protect/apply.ts',
		at: 'await recordProtection(tx, plan, options)',
	},
	planBeingWritten: {
		name: 'the rows of a plan are being written',
		file: 'apps/service/src/plans/make.ts',
		at: 'requireTables(principal, touchedTables(evaluation))',
	},
	batchTagged: { name: 'a batch is tagged', file: batch, at: 'const before = await readServerCounts(' },
	batchSealed: { name: 'a batch is sealed', file: batch, at: 'await requireOpenGate(tx, [' },
	batchCommitted: { name: 'a batch is committed', file: batch, at: 'return done as BatchDone' },
	restoreInserted: {
		name: 'a batch of a restore has inserted',
		file: 'packages/restore/src/execute/straight.ts',
		at: 'written = await readBack(',
	},
	restoreRecorded: {
		name: 'a batch of a restore is recorded, not committed',
		file: 'apps/service/src/restores/worker/batch.ts',
		at: 'return counted',
	},
	segmentsWritten: { name: 'segments are written, not committed', file: archive, at: 'await buffer.vault.commit(' },
	tablesCommitted: {
		name: 'tables are committed, the transactions are not',
		file: archive,
		at: 'if (batch.append) {',
		when: 'batch.append && batch.commit.length > 0',
	},
	transactionsCommitted: {
		name: 'transactions are in the vault, not in the control schema',
		file: archive,
		at: 'await record(batch.record',
		when: 'batch.record.length > 0',
	},
	nonceStands: {
		name: 'a nonce stands, the slot is not acknowledged',
		file: 'apps/sidecar/src/lineage/acknowledge.ts',
		at: 'acknowledge(position)\n',
	},
} satisfies Record<string, Place>
