import { places } from './places.ts'
import { indexedSoon, sweptSoon } from './settings.ts'
import type { Point } from './world.ts'

const record = 'apps/service/src/record.ts'
const batch = 'apps/service/src/runs/worker/delete-batch.ts'
const restoring = 'apps/service/src/restores/worker/execute.ts'
const restoreBatch = 'packages/restore/src/execute/batch.ts'
const opening = 'apps/sidecar/src/lineage/open.ts'
const acknowledging = 'apps/sidecar/src/lineage/acknowledge.ts'
const archive = 'apps/sidecar/src/archive/loop.ts'
const files = 'packages/vault/src/stores/file.ts'
const checkpoint = 'packages/vault/src/log/checkpoint.ts'
const merge = 'packages/vault/src/merge.ts'

/** What the log of a service says that takes up what another left. */
const told = {
	calls: 'a call that was cut off is repeated',
	runs: 'a run goes on where it was left',
	restores: 'a restore goes on where it was left',
} as const

/** What a call did is committed, its answer is not. */
function unsettled(path: string): Point {
	const when = `command.path === '${path}'`
	return {
		name: `${path} is done, its answer is not kept`,
		told: told.calls,
		file: record,
		at: 'await settle(command, call, result)',
		when,
	}
}

/** Places in the service, in the order in which the story comes by. */
const servicePoints: readonly Point[] = [
	{ ...places.tablesPublished, told: told.calls },
	{
		name: 'tables are protected, nothing is proved',
		told: told.calls,
		file: 'apps/service/src/tables/protect.ts',
		at: 'const isChanged = outcomes',
	},
	{
		name: 'a canary is gone, not come back',
		told: told.calls,
		file: 'packages/postgres/src/protect/prove.ts',
		at: 'const isProved = ',
	},
	unsettled('tables.protect'),
	unsettled('policies.put'),
	{ ...places.planBeingWritten, told: told.calls },
	{
		name: 'the rows of a plan are written, the plan is not ready',
		told: told.calls,
		file: 'apps/service/src/plans/make.ts',
		at: 'await settlePlan(services, plan, { ...evaluation, rowsHash })',
	},
	unsettled('plans.create'),
	unsettled('plans.approve'),
	{
		name: 'a key is claimed, nothing is done',
		told: told.calls,
		file: record,
		at: 'const stopKeeping = call ?',
		when: "command.path === 'runs.start'",
	},
	unsettled('runs.start'),
	{ name: 'a run is claimed', told: told.runs, file: 'apps/service/src/runs/worker/loop.ts', at: 'const work = hold(' },
	{ name: 'a batch has its gate', told: told.runs, file: batch, at: 'const held = await holdRows(', nth: 2 },
	{ ...places.batchTagged, told: told.runs, nth: 3 },
	{ name: 'a batch has deleted', told: told.runs, file: batch, at: 'const drifted = await settleMissing(', nth: 2 },
	{ ...places.batchSealed, told: told.runs, nth: 4 },
	{
		name: 'a batch is recorded, not committed',
		told: told.runs,
		file: 'apps/service/src/runs/worker/record.ts',
		at: 'await recordProgress(tx, batch, totals)',
		side: 'after',
		nth: 2,
	},
	{ ...places.batchCommitted, told: told.runs, nth: 3 },
	{
		name: 'a receipt has come, its run does not know',
		told: told.runs,
		file: 'apps/service/src/runs/worker/receipts.ts',
		at: 'const rows = countRows(row.receiptRows)',
		nth: 3,
	},
	{
		name: 'a run is done, not ended',
		told: told.runs,
		file: 'apps/service/src/runs/worker/hold.ts',
		at: 'await endRun(services, run.lease, event)',
	},
	{
		name: 'a restore is listed, not committed',
		told: told.calls,
		file: 'apps/service/src/restores/start.ts',
		at: "await tx`select pg_notify('reprieve_restores', ",
	},
	unsettled('restores.start'),
	{
		name: 'a batch of a restore is staged',
		told: told.restores,
		file: restoreBatch,
		at: 'for (const stage of stages) await lockExisting(',
		nth: 2,
	},
	{
		name: 'a batch of a restore has inserted from its stages',
		told: told.restores,
		file: restoreBatch,
		at: 'await advanceSequences(tx, stages.map(',
	},
	{ ...places.restoreInserted, told: told.restores, nth: 2 },
	{
		name: 'a batch of a restore has relinked',
		told: told.restores,
		file: restoreBatch,
		at: 'await checkReferences(tx, stages',
		when: 'relinks',
	},
	{
		name: 'a batch of a restore is read back',
		told: told.restores,
		file: 'packages/restore/src/execute/straight.ts',
		at: 'await markWritten(',
	},
	{ ...places.restoreRecorded, told: told.restores, nth: 3 },
	{
		name: 'a batch of a restore is committed',
		told: told.restores,
		file: restoring,
		at: 'const rows = [...counts.values()].reduce(',
		nth: 2,
	},
	{
		name: 'a restore is done, its list is not dropped',
		told: told.restores,
		file: 'apps/service/src/restores/worker/claim.ts',
		at: "if (status !== 'paused') await",
	},
	{
		name: 'the rows of an undo are written, its plan is not',
		told: told.calls,
		file: 'apps/service/src/restores/undo.ts',
		at: 'return await insertPlan(',
	},
	unsettled('restores.undo'),
	{
		name: 'the plan of a clean-up is ready, its run is not started',
		told: told.calls,
		file: 'apps/service/src/cleanup/clean.ts',
		at: 'return await startRun(',
	},
	unsettled('cleanup.match'),
	unsettled('tokens.create'),
	{
		name: 'membership and identity are put back, the protection is still recorded',
		told: told.calls,
		file: 'packages/postgres/src/protect/unprotect.ts',
		at: 'for (const statement of statements) await tx.unsafe(statement)',
		side: 'after',
	},
	unsettled('tables.unprotect'),
]

/** Places in capture, archive and upkeep: of the first start, of what is often, of what needs many deletions before. */
const sidecarPoints: readonly Point[] = [
	{ name: 'a lineage has no slot', file: opening, at: 'const confirmed = (await readSlot(sql, slot))?.confirmed' },
	{ name: 'a lineage is unknown to the vault', file: opening, at: 'const known = (await vault.lineages())' },
	{
		name: 'a lineage has no position in the vault',
		file: opening,
		at: 'await vault.transactions.append({ source: opened.id',
	},
	{
		name: 'a file is half written',
		file: files,
		at: 'await file.writeFile(bytes)',
		first: 'await file.write(bytes.subarray(0, bytes.length >> 1))',
		nth: 12,
	},
	{
		name: 'a file is written, not in its place',
		file: files,
		at: 'const created = await linked(draft, path)',
		nth: 14,
	},
	{
		name: 'a file is in its place, its folder is not synced',
		file: files,
		at: 'await syncFolder(dirname(path))\n\t\treturn created',
		nth: 16,
	},
	{
		name: 'the database knows a nonce, the vault does not',
		file: 'apps/sidecar/src/lineage/nonce.ts',
		at: 'const nonces = [...this',
		nth: 2,
	},
	{ ...places.nonceStands, nth: 2 },

	{ name: 'merged segments are written, not committed', file: merge, at: 'if (await commitMerge(' },
	{ name: 'merged segments are committed, the index is not', file: merge, at: 'counts.merged += inputs.length' },
	{
		name: 'merged transactions are written, not committed',
		file: 'packages/vault/src/transactions.ts',
		at: 'if (await commitMerge(',
	},
	{
		name: 'an index is written, not committed',
		file: 'packages/vault/src/lookup/refresh.ts',
		at: 'if (!(await commitIndex(',
		edits: indexedSoon,
	},
	{ name: 'a checkpoint has no seal', file: checkpoint, at: 'const facts = { version: state.version' },
	{ name: 'a checkpoint has no hint', file: checkpoint, at: 'if (state.version > (await newestCheckpoint(' },
	{ name: 'a hint is written, not in its place', file: files, at: 'await rename(draft, path)' },
	{
		name: 'an entry is put, its writer does not know',
		file: 'packages/vault/src/log/log.ts',
		at: 'if (await isVoid(store, folder, {',
		nth: 6,
	},

	{ ...places.segmentsWritten, nth: 2 },
	{
		name: 'one of several tables is committed',
		file: archive,
		at: 'buffer.archived = position',
		when: 'batch.commit.length > 1',
	},
	{ ...places.tablesCommitted, nth: 2 },
	{ ...places.transactionsCommitted, nth: 3 },
	{
		name: 'all is archived, nothing acknowledged',
		file: archive,
		at: 'await this.#acknowledgement.advance(',
		when: 'batch.record.length > 0',
		nth: 2,
	},
	{ name: 'the slot is acknowledged', file: acknowledging, at: 'this.#acknowledged = position', nth: 2 },
	{
		name: 'a register is written, older versions are not removed',
		file: 'packages/vault/src/register.ts',
		at: 'const newest = versions.at(-1)',
		nth: 12,
	},
	{
		name: 'a sweep has deleted some of its files',
		file: 'packages/vault/src/sweep.ts',
		at: "(await store.delete(key)) === 'deleted'",
		side: 'through',
		nth: 3,
		edits: sweptSoon,
	},
]

const sink = 'apps/sidecar/src/kafka/sink.ts'
const flush = 'apps/sidecar/src/frames/flush.ts'

/** Places on the way to Kafka. */
const capturePoints: readonly Point[] = [
	{
		name: 'rows are in Kafka, their transactions are not',
		file: sink,
		at: 'const sent = transactions.map(',
		when: 'shares.some(({ rows }) => rows.length > 0)',
		nth: 3,
	},
	{
		name: 'transactions are in Kafka, capture does not know',
		file: sink,
		at: 'this.#loop.settle(word.received)',
		nth: 4,
	},
]

/** Places on the way from Kafka to the vault. */
const archivePoints: readonly Point[] = [
	{
		name: 'segments of frames are written, not committed',
		file: flush,
		at: 'const { outcome } = await partition.table.commit(',
		nth: 4,
	},
	{ name: 'frames of a partition are committed', file: flush, at: 'parts.onCommitted(share)\n', nth: 3 },
	{
		name: 'receipts of frames are in the vault, not in the control schema',
		file: 'apps/sidecar/src/frames/receipts.ts',
		at: 'await records.receipts(transactions, {',
		when: 'archived.some(({ tag }) => tag)',
		nth: 2,
	},
]

/** Points of one story, in its order: each process that is started again has the next. */
export type Chain = { victim: 'service' | 'sidecar' | 'capture' | 'archive'; points: readonly Point[] }

/** Every place at which a process is killed, once. */
export const chains: readonly Chain[] = [
	...chained('service', servicePoints, 12),
	...chained('sidecar', sidecarPoints, 8),
]

/** The same where changes go through Kafka. */
export const kafkaChains: readonly Chain[] = [
	{ victim: 'capture', points: capturePoints },
	{ victim: 'archive', points: archivePoints },
]

/** Every n-th point together, so that they lie apart in the story. */
function chained(victim: Chain['victim'], points: readonly Point[], n: number): Chain[] {
	return Array.from({ length: n }, (_, first) => ({ victim, points: points.filter((_, at) => at % n === first) }))
}
