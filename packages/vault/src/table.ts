import { isDeepStrictEqual } from 'node:util'
import { type ChangeRows, ReprieveError, type SourceTable, type TableName } from '@reprieve/contracts'
import { type Place, readChanges } from './archive.ts'
import { assignColumns, bookkeeping, fitsColumns, missingColumns, openColumns, type VaultColumn } from './columns.ts'
import { wasLetGo } from './let-go.ts'
import type { SegmentFile, TableMeta } from './log/actions.ts'
import { type Log, openLog } from './log/log.ts'
import type { LogState } from './log/state.ts'
import { compactTable } from './merge.ts'
import { putSegment } from './segment/put.ts'
import { parseRange } from './segment/range.ts'
import { buildSegment, newPath, splitRows } from './segment/write.ts'
import { sweepTable } from './sweep.ts'
import type { CommitOutcome, PendingSegment, ReadQuery, TableCommit, VaultTable } from './vault.ts'
import { verifyTable } from './verify.ts'

export type TableOptions = {
	now: () => number
	/** Told of every entry that this handle appends, and of those that others did when it asks for sources. */
	onEntry: (version: number, digest: string) => void
}

/** The archive of one source table in a folder of a store. */
export function openTable(place: Place, name: TableName, options: TableOptions): VaultTable & { log: Log } {
	const log = openLog(place.store, place.folder, { columns: bookkeeping, now: options.now, onAppend: options.onEntry })
	/** Columns that this handle gave out before a commit named them: a second schema version must not reuse their names. */
	const promised: VaultColumn[] = []
	return {
		name,
		log,
		archived: async (source) => (await log.refresh()).transactions.get(source),
		sources: async () => {
			const { version, digest, transactions } = await log.refresh()
			if (version >= 0) options.onEntry(version, digest)
			return new Map(transactions)
		},
		write: async (rows) => {
			const known = (await log.known()).meta?.columns ?? []
			const open = missingColumns(known, promised).filter((column) => fitsColumns(known, [column]))
			const { columns, added } = assignColumns([...known, ...open], rows.table)
			promised.push(...added)
			return await writeSegments(place, rows, columns)
		},
		commit: (entry) => commitSegments(log, entry, { now: options.now, newId: place.newId }),
		schemas: async () => (await log.refresh()).meta?.schemas ?? [],
		read: (query) => readTable(place, log, query),
		rowCount: async () => {
			const { files } = await log.refresh()
			let rows = 0
			for (const { stats } of files.values()) rows += (JSON.parse(stats) as { numRecords: number }).numRecords
			return rows
		},
		compact: (limits) => compactTable(place, log, { ...limits, now: options.now }),
		checkpoint: ({ every = 20 } = {}) => log.checkpoint(every),
		verify: () => verifyTable(place, log),
		sweep: (limits) => sweepTable(place, log, limits ?? {}, options.now),
	}
}

/** Where the log let go of what is being read, its newest state is read on behind what was handed out. */
async function* readTable(place: Place, log: Log, query: ReadQuery): AsyncIterable<ChangeRows> {
	for (let rest = query; ; ) {
		const { meta, files } = await log.refresh()
		if (!meta) return
		try {
			for await (const rows of readChanges(place, { meta, files: [...files.values()] }, rest)) {
				yield rows
				rest = behind(rest, rows)
			}
			return
		} catch (error) {
			if (!(await wasLetGo(error, place, log))) throw error
		}
	}
}

/** What is left of a query behind rows that it answered with. */
function behind({ limit, ...query }: ReadQuery, { count, position, ordinal }: ChangeRows): ReadQuery {
	const after = { position: position[count - 1] as bigint, ordinal: ordinal[count - 1] as number }
	return { ...query, after, ...(limit === undefined ? {} : { limit: limit - count }) }
}

async function writeSegments(place: Place, rows: ChangeRows, columns: VaultColumn[]): Promise<PendingSegment[]> {
	const written: PendingSegment[] = []
	for (const part of splitRows(rows)) {
		const segment = await buildSegment(rows, columns, { path: newPath(place), ...part })
		const stored = await putSegment(place, segment, openColumns)
		written.push({ ...stored, rows: segment.rows, range: segment.range, schema: rows.table, columns })
	}
	return written
}

/** What an entry takes from outside. */
type Means = { now: () => number; newId: () => string }

async function commitSegments(
	log: Log,
	{ source, position, segments, after, marks = [] }: TableCommit,
	means: Means,
): Promise<CommitOutcome> {
	const { isAppended, version } = await log.append((state) => {
		const archived = state.transactions.get(source)
		if (archived !== undefined && archived >= position) return undefined
		if (after !== undefined && after !== (archived ?? null)) throw movedOn(source, after, archived)
		if (archived !== undefined) checkFollows(segments, archived, source)
		const meta = extendMeta(state, segments, means)
		return {
			operation: 'WRITE',
			facts: { id: means.newId() },
			...(meta === state.meta ? {} : { meta }),
			transactions: [{ source, position }, ...marks],
			adds: segments.map((segment) => fileOf(segment, meta, means.now())),
			removes: [],
			isDataChange: true,
		}
	})
	return { outcome: isAppended ? 'committed' : 'alreadyArchived', version }
}

/** The table's metadata with what the segments bring; the same object when they bring nothing. */
function extendMeta(state: LogState, segments: readonly PendingSegment[], { now, newId }: Means): TableMeta {
	let meta = state.meta ?? { id: newId(), createdAt: now(), columns: [], schemas: [] }
	for (const { schema, columns } of segments) {
		if (!fitsColumns(meta.columns, columns)) throw columnsTaken(schema)
		const missing = missingColumns(meta.columns, columns)
		const isNew = versionOf(meta, schema) < 0
		if (missing.length > 0 || isNew)
			meta = {
				...meta,
				columns: [...meta.columns, ...missing],
				schemas: isNew ? [...meta.schemas, asStored(schema)] : meta.schemas,
			}
	}
	return meta
}

function fileOf(segment: PendingSegment, meta: TableMeta, modifiedAt: number): SegmentFile {
	const { path, size, stats, sha256, range, filters, key } = segment
	const schema = versionOf(meta, segment.schema)
	return {
		...{ path, size, modifiedAt, stats, sha256, range, schema },
		...(key === undefined ? {} : { key }),
		...(filters === undefined ? {} : { filters }),
	}
}

function versionOf(meta: TableMeta, schema: SourceTable): number {
	const stored = asStored(schema)
	return meta.schemas.findIndex((known) => isDeepStrictEqual(known, stored))
}

/** The schema as the log gives it back: without keys that are undefined. */
function asStored(schema: SourceTable): SourceTable {
	return JSON.parse(JSON.stringify(schema)) as SourceTable
}

/** Rows at or below what the source has here already came by another writer: taking the batch would double them. */
function checkFollows(segments: readonly PendingSegment[], archived: bigint, source: string): void {
	const known = segments.find(({ range }) => parseRange(range).first.position <= archived)
	if (known) throw overtaken(parseRange(known.range).first.position, archived, source)
}

/** The error of a batch that does not follow what the source has. */
export function movedOn(source: string, after: bigint | null, archived: bigint | undefined): ReprieveError {
	return new ReprieveError(
		'CONFLICT',
		`the batch follows ${after ?? 'nothing'}, another writer archived ${source} up to ${archived ?? 'nothing'}`,
		{ hint: 'Read what is archived, then send what follows.', retryable: true },
	)
}

/** The error of a batch of which another writer archived a part. */
export function overtaken(position: bigint, archived: bigint, source: string): ReprieveError {
	return new ReprieveError(
		'CONFLICT',
		`the batch begins at ${position}, another writer archived ${source} up to ${archived} meanwhile`,
		{ hint: 'Read what is archived, then send what follows.', retryable: true },
	)
}

function columnsTaken({ schema, name }: TableName): ReprieveError {
	return new ReprieveError('CONFLICT', `another writer gave the columns of ${schema}.${name} other names meanwhile`, {
		hint: 'Write the rows again.',
		retryable: true,
	})
}
