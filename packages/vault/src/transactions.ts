import type { ArchivedTransaction } from '@reprieve/contracts'
import type { Place } from './archive.ts'
import { type EndedTimeline, endedTimelines, isBeyondEnd } from './branch.ts'
import { type CompactOptions, commitMerge, planMerges } from './compact.ts'
import { unlessLetGo, wasLetGo } from './let-go.ts'
import type { FixedColumn, SegmentFile, TableMeta } from './log/actions.ts'
import { type Log, openLog } from './log/log.ts'
import { parseRange } from './segment/range.ts'
import { parseStatistics } from './segment/statistics.ts'
import { sweepTable } from './sweep.ts'
import { movedOn, overtaken } from './table.ts'
import {
	byPosition,
	columns,
	gatherColumns,
	type Stored,
	transactionsIn,
	writeColumns,
	writeTransactions,
} from './transaction-files.ts'
import { parseInstantJson } from './values/instant.ts'
import type { RecordedTransaction, TransactionLog } from './vault.ts'
import { type Head, verifyHeads, verifyTable } from './verify.ts'

/** The log of transactions in a folder of a store. `heads` are the tables' newest entries that it has not named yet. */
export function openTransactions(
	place: Place,
	options: { now: () => number; heads: Map<string, Head> },
): TransactionLog & { log: Log } {
	const log = openLog(place.store, place.folder, { columns: columns as readonly FixedColumn[], now: options.now })
	return {
		log,
		archived: async (source) => (await log.refresh()).transactions.get(source),
		async branch({ id, timeline }) {
			const ended = endedTimelines((await log.refresh()).transactions).get(id) ?? []
			return { lineage: id, timeline, ended }
		},
		async append({ source, position, transactions, lineage = source, after, marks = [] }) {
			const recorded = transactions.map((transaction) => ({ ...transaction, lineage }))
			const adds = recorded.length === 0 ? [] : [await writeTransactions(place, recorded, options.now())]
			const heads = [...options.heads]
			const { isAppended, version } = await log.append((state) => {
				const archived = state.transactions.get(source)
				if (archived !== undefined && archived >= position) return undefined
				if (after !== undefined && after !== (archived ?? null)) throw movedOn(source, after, archived)
				const first = transactions[0]?.position.lsn
				if (archived !== undefined && first !== undefined && first < archived) throw overtaken(first, archived, source)
				return {
					operation: 'WRITE',
					facts: { id: place.newId(), heads: Object.fromEntries(heads) },
					...(state.meta ? {} : { meta: newMeta(place, options.now()) }),
					transactions: [{ source, position }, ...marks],
					adds,
					removes: [],
					isDataChange: true,
				}
			})
			if (isAppended)
				for (const [folder, head] of heads) if (options.heads.get(folder) === head) options.heads.delete(folder)
			return { outcome: isAppended ? 'committed' : 'alreadyArchived', version }
		},
		read: (query) => readTransactions(place, log, query),
		compact: (limits) => compactTransactions(place, log, { ...limits, now: options.now }),
		checkpoint: ({ every = 20 } = {}) => log.checkpoint(every),
		verify: async function* () {
			yield* verifyTable(place, log)
			yield* verifyHeads(place)
		},
		sweep: (limits) => sweepTable(place, log, limits ?? {}, options.now),
	}
}

function newMeta({ newId }: Place, createdAt: number): TableMeta {
	return { id: newId(), createdAt, columns: [], schemas: [] }
}

async function compactTransactions(
	place: Place,
	log: Log,
	{ now, ...options }: CompactOptions & { now: () => number },
): Promise<{ merged: number; written: number }> {
	const counts = { merged: 0, written: 0 }
	for (const inputs of planMerges((await log.refresh()).files.values(), options)) {
		const gathered = await unlessLetGo(gatherColumns(place, inputs), place, log)
		if (!gathered) continue
		const output = await writeColumns(place, gathered, now())
		if (await commitMerge(log, { inputs, outputs: [output] }, { now, newId: place.newId })) {
			counts.merged += inputs.length
			counts.written += 1
		} else await place.store.delete(`${place.folder}/${output.path}`)
	}
	return counts
}

type Query = Parameters<TransactionLog['read']>[0]

async function* readTransactions(place: Place, log: Log, query: Query): AsyncIterable<RecordedTransaction> {
	/** Those handed out at the newest position: several timelines may have one there. */
	let handedOut: Stored[] = []
	for (;;) {
		const { files, transactions } = await log.refresh()
		const isUndone = undoneTest(endedTimelines(transactions))
		const before = handedOut
		try {
			for await (const transaction of readStored(place, [...files.values()], query)) {
				if (isBehind(before, transaction)) continue
				const isBeside = handedOut[0]?.position.lsn === transaction.position.lsn
				handedOut = isBeside ? [...handedOut, transaction] : [transaction]
				yield isUndone(transaction) ? { ...transaction, isUndone: true } : transaction
			}
			return
		} catch (error) {
			if (!(await wasLetGo(error, place, log))) throw error
		}
	}
}

/** Whether a transaction was handed out before the reading began again. */
function isBehind(handedOut: readonly Stored[], { position, lineage }: Stored): boolean {
	const newest = handedOut[0]?.position.lsn
	if (newest === undefined || position.lsn > newest) return false
	const isSame = (other: Stored) => other.position.timeline === position.timeline && other.lineage === lineage
	return position.lsn < newest || handedOut.some(isSame)
}

/** Records of before they named their lineage can only be told apart where there is but one that left a timeline. */
function undoneTest(ended: ReadonlyMap<string, EndedTimeline[]>): (transaction: Stored) => boolean {
	const only = ended.size === 1 ? [...ended.values()][0] : undefined
	return ({ lineage, position }) => isBeyondEnd((lineage === undefined ? only : ended.get(lineage)) ?? [], position)
}

async function* readStored(place: Place, files: readonly SegmentFile[], query: Query): AsyncIterable<Stored> {
	const wanted = files.filter((file) => mayMatch(query, file))
	const ranged = wanted.map((file) => ({ file, ...parseRange(file.range) }))
	ranged.sort((a, b) => (a.first.position < b.first.position ? -1 : 1))
	let waiting: Stored[] = []
	for (const { file, first } of ranged) {
		const settled = waiting.filter(({ position }) => position.lsn < first.position)
		waiting = waiting.filter(({ position }) => position.lsn >= first.position)
		yield* settled
		for (const transaction of await transactionsIn(place, file))
			if (matches(query, transaction)) waiting.push(transaction)
		waiting.sort(byPosition)
	}
	yield* waiting
}

function mayMatch(query: Query, file: SegmentFile): boolean {
	const { first, final } = parseRange(file.range)
	const { from, to } = query.positions ?? {}
	if ((from !== undefined && final.position < from) || (to !== undefined && first.position > to)) return false
	if (query.exact && !query.exact.some((lsn) => lsn >= first.position && lsn <= final.position)) return false
	const { min, max, nulls, rows } = parseStatistics(file.stats)
	const text = (source: string | undefined) => (source === undefined ? undefined : (JSON.parse(source) as string))
	if (query.committed && !overlaps(query.committed, text(min.get('committed_at')), text(max.get('committed_at'))))
		return false
	if (query.job === undefined) return true
	const [low, high] = [text(min.get('id')), text(max.get('id'))]
	if (low === undefined || high === undefined) return nulls.get('id') !== rows
	return compareBytes(low, query.job.id) <= 0 && compareBytes(query.job.id, high) <= 0
}

function overlaps({ from, to }: NonNullable<Query['committed']>, low?: string, high?: string): boolean {
	if (low === undefined || high === undefined) return true
	return (from === undefined || parseInstantJson(high) >= from) && (to === undefined || parseInstantJson(low) < to)
}

function compareBytes(a: string, b: string): number {
	return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function matches({ positions, exact, committed, job }: Query, transaction: ArchivedTransaction): boolean {
	const { lsn } = transaction.position
	const at = transaction.committedAt
	if (positions?.from !== undefined && lsn < positions.from) return false
	if (positions?.to !== undefined && lsn > positions.to) return false
	if (committed?.from !== undefined && at < committed.from) return false
	if (committed?.to !== undefined && at >= committed.to) return false
	if (exact && !exact.includes(lsn)) return false
	return job === undefined || (transaction.tag?.kind === job.kind && transaction.tag.id === job.id)
}
