import type { SourceTable } from '@reprieve/contracts'
import { bookkeeping, type VaultColumn } from '../columns.ts'
import type { IndexRun } from '../lookup/run.ts'
import { corrupt, digestOf, sealLines, unsealLines } from '../seal.ts'
import type { DeltaType } from '../values/codec.ts'

/** A segment as the log names it. */
export type SegmentFile = {
	path: string
	size: number
	modifiedAt: number
	stats: string
	sha256: string
	/** {@link formatRange} of its rows. */
	range: string
	/** Number of its schema version, from 0; absent in logs without source tables. */
	schema?: number
	/** Id of the key that it is encrypted under; absent: it is not. */
	key?: string
	/** Whether its row groups are slices, each of which can be read and checked alone. */
	isSliced?: boolean
	/** Filters of its keys, when it is small. */
	filters?: string
}

/** A segment that the log has let go of; its object goes when nobody can still be reading it. */
export type Tombstone = { path: string; removedAt: number; size: number }

/** What the log says about the table as a whole. */
export type TableMeta = {
	id: string
	createdAt: number
	/** The columns between the bookkeeping ones and these, for logs that are not of a source table. */
	columns: VaultColumn[]
	/** Every schema version of the source, oldest first. */
	schemas: SourceTable[]
	/** Names of the fixed columns that the log's metadata lists; absent before the first entry. */
	listed?: string[]
	/** The key index: its large run, then its small one; absent before the first compaction. */
	index?: IndexRun[]
}

/** What one log entry brings. */
export type Entry = {
	operation: string
	/** Digest of the entry before; absent in the first. */
	previous?: string
	timestamp: number
	/** Further facts that the entry records beside the table's state. */
	facts?: Record<string, unknown>
	meta?: TableMeta
	transactions: { source: string; position: bigint }[]
	adds: SegmentFile[]
	removes: Tombstone[]
	/** Whether rows come or go: false for compaction. */
	isDataChange: boolean
}

/** The fixed columns of a table, before those of {@link TableMeta.columns}. */
export type FixedColumn = { name: string; type: DeltaType | 'map' }

/** Protocol that every Delta reader speaks; `appendOnly` needs writer version 2. */
export const protocol = { minReaderVersion: 1, minWriterVersion: 2 }

const schemasKey = 'reprieve.schemas'
const indexKey = 'reprieve.index'
const engine = 'reprieve/0.1.0'

/** The bytes of a log entry: Delta actions, one a line, sealed. */
export function formatEntry(entry: Entry, fixed: readonly FixedColumn[] = bookkeeping): Uint8Array {
	const { operation, previous, timestamp, facts, meta } = entry
	const lines = [
		JSON.stringify({
			commitInfo: { timestamp, operation, operationParameters: {}, engineInfo: engine, previous, facts },
		}),
	]
	if (meta) lines.push(JSON.stringify({ protocol }), JSON.stringify({ metaData: metaDataOf(meta, fixed) }))
	for (const { source, position } of entry.transactions)
		lines.push(`{"txn":{"appId":${JSON.stringify(source)},"version":${position},"lastUpdated":${timestamp}}}`)
	for (const tombstone of entry.removes) lines.push(JSON.stringify({ remove: removeOf(tombstone, entry.isDataChange) }))
	for (const file of entry.adds) lines.push(JSON.stringify({ add: addOf(file, entry.isDataChange) }))
	return sealLines(lines)
}

/** Reads what {@link formatEntry} wrote; `digest` is the one that the next entry must name. Throws VAULT_CORRUPT. */
export function parseEntry(object: string, bytes: Uint8Array): Entry & { digest: string } {
	const entry: Entry = {
		operation: '',
		timestamp: 0,
		transactions: [],
		adds: [],
		removes: [],
		isDataChange: true,
	}
	for (const line of unsealLines(object, bytes)) takeAction(entry, object, line)
	return { ...entry, digest: digestOf(bytes) }
}

function takeAction(entry: Entry, object: string, line: string): void {
	const action = parseLine(object, line)
	if (action.commitInfo) {
		const { operation, previous, timestamp, facts } = action.commitInfo
		Object.assign(entry, { operation, previous, timestamp, facts })
	} else if (action.metaData) entry.meta = metaOf(action.metaData)
	else if (action.txn) entry.transactions.push({ source: action.txn.appId, position: BigInt(action.txn.version) })
	else if (action.add) {
		entry.adds.push(fileOf(action.add))
		entry.isDataChange = action.add.dataChange
	} else if (action.remove) {
		entry.removes.push(tombstoneOf(action.remove))
		entry.isDataChange = action.remove.dataChange
	}
}

/** A `metaData` action, as in a log entry and in a checkpoint. */
export type MetaData = {
	id: string
	schemaString: string
	configuration: Record<string, string>
	createdTime: number | bigint
}

/** An `add` action. */
export type Add = {
	path: string
	size: number | bigint
	modificationTime: number | bigint
	dataChange: boolean
	stats: string
	tags: Record<string, string>
}

/** A `remove` action. */
export type Remove = {
	path: string
	deletionTimestamp: number | bigint
	size: number | bigint
	dataChange: boolean
}

type Action = {
	commitInfo?: { operation: string; previous?: string; timestamp: number; facts?: Record<string, unknown> }
	metaData?: MetaData
	txn?: { appId: string; version: string | number }
	add?: Add
	remove?: Remove
}

/** A position keeps all its digits: it is a 64-bit number. */
function parseLine(object: string, line: string): Action {
	try {
		return JSON.parse(line, (key, value: unknown, context?: { source?: string }) =>
			key === 'version' && typeof value === 'number' ? (context?.source ?? value) : value,
		) as Action
	} catch (cause) {
		throw corrupt(object, 'a line is not JSON', { cause })
	}
}

/** The `metaData` action of a table. */
export function metaDataOf(meta: TableMeta, fixed: readonly FixedColumn[]) {
	const fields = [
		...fixed.map(({ name, type }) => ({ name, type: schemaTypeOf(type), nullable: true, metadata: {} })),
		...meta.columns.map(({ name, type, oid, attnum, typeOid }) => ({
			name,
			type,
			nullable: true,
			metadata: { 'reprieve.oid': oid, 'reprieve.attnum': attnum, 'reprieve.typeOid': typeOid },
		})),
	]
	return {
		id: meta.id,
		format: { provider: 'parquet', options: {} },
		schemaString: JSON.stringify({ type: 'struct', fields }),
		partitionColumns: [],
		configuration: {
			'delta.appendOnly': 'true',
			[schemasKey]: JSON.stringify(meta.schemas),
			...(meta.index ? { [indexKey]: JSON.stringify(meta.index) } : {}),
		},
		createdTime: meta.createdAt,
	}
}

/** The metadata of a log that does not list every fixed column, to be written again: it is older than one of them. */
export function unlisted(meta: TableMeta | undefined, fixed: readonly FixedColumn[]): TableMeta | undefined {
	return meta && fixed.some(({ name }) => !meta.listed?.includes(name)) ? meta : undefined
}

/** Inverse of {@link metaDataOf}. */
export function metaOf(action: MetaData): TableMeta {
	const schema = JSON.parse(action.schemaString) as {
		fields: { name: string; type: DeltaType; metadata: Record<string, number> }[]
	}
	const columns = schema.fields.flatMap(({ name, type, metadata }) => {
		const { 'reprieve.oid': oid, 'reprieve.attnum': attnum, 'reprieve.typeOid': typeOid } = metadata
		if (oid === undefined || attnum === undefined || typeOid === undefined) return []
		return [{ name, type, oid, attnum, typeOid }]
	})
	const listed = schema.fields.flatMap(({ name, metadata }) => (metadata['reprieve.oid'] === undefined ? [name] : []))
	const schemas = JSON.parse(action.configuration[schemasKey] ?? '[]') as SourceTable[]
	const index = action.configuration[indexKey]
	return {
		id: action.id,
		createdAt: Number(action.createdTime),
		columns,
		schemas,
		listed,
		...(index === undefined ? {} : { index: JSON.parse(index) as IndexRun[] }),
	}
}

function schemaTypeOf(type: FixedColumn['type']): unknown {
	return type === 'map' ? { type: 'map', keyType: 'string', valueType: 'string', valueContainsNull: true } : type
}

/** The `add` action of a segment. */
export function addOf(file: SegmentFile, isDataChange: boolean) {
	const { path, size, modifiedAt, stats, sha256, range, schema, key, isSliced, filters } = file
	const tags = {
		sha256,
		range,
		...(schema === undefined ? {} : { schema: String(schema) }),
		...(key === undefined ? {} : { key }),
		...(isSliced ? { sliced: 'true' } : {}),
		...(filters === undefined ? {} : { filters }),
	}
	return { path, partitionValues: {}, size, modificationTime: modifiedAt, dataChange: isDataChange, stats, tags }
}

/** Inverse of {@link addOf}. Segments that others wrote have no digest: none can be trusted to be whole. */
export function fileOf(action: Add): SegmentFile {
	const { sha256, range, schema, key, sliced, filters } = action.tags ?? {}
	if (sha256 === undefined || range === undefined)
		throw corrupt(action.path, 'it was added by somebody else, without a digest')
	return {
		path: action.path,
		size: Number(action.size),
		modifiedAt: Number(action.modificationTime),
		stats: action.stats,
		sha256,
		range,
		...(schema === undefined ? {} : { schema: Number(schema) }),
		...(key ? { key } : {}),
		...(sliced === 'true' ? { isSliced: true } : {}),
		...(filters === undefined ? {} : { filters }),
	}
}

/** The `remove` action of a tombstone. */
export function removeOf({ path, removedAt, size }: Tombstone, isDataChange: boolean) {
	return {
		path,
		deletionTimestamp: removedAt,
		dataChange: isDataChange,
		extendedFileMetadata: true,
		partitionValues: {},
		size,
	}
}

/** Inverse of {@link removeOf}. */
export function tombstoneOf(action: Remove): Tombstone {
	return { path: action.path, removedAt: Number(action.deletionTimestamp), size: Number(action.size) }
}
