import { zstdCompressSync } from 'node:zlib'
import type { SchemaElement } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { checkpointDigestPath, checkpointPath, entryPath } from '../paths.ts'
import { corrupt, digestOf, sealLines, unlessCorrupt, unsealLines } from '../seal.ts'
import { openParquet } from '../segment/parquet.ts'
import { putOnce, type Store } from '../store.ts'
import {
	type Add,
	addOf,
	type FixedColumn,
	fileOf,
	type MetaData,
	metaDataOf,
	metaOf,
	parseEntry,
	protocol,
	type Remove,
	removeOf,
	tombstoneOf,
} from './actions.ts'
import { growState, type LogState, tombstoneMs } from './state.ts'

const hintName = '_delta_log/_last_checkpoint'

/** What is sealed beside a checkpoint; `entry` is the digest of the log entry that it was written behind, absent in older ones. */
type Seal = { version: number; size: number; sha256: string; entry?: string }

type CheckpointRow = {
	txn: { appId: string; version: bigint; lastUpdated: bigint | null } | null
	add: Add | null
	remove: Remove | null
	metaData: MetaData | null
	protocol: typeof protocol | null
}

/**
 * Writes the state as a Delta checkpoint: the Parquet file, then the sealed object with its digest, then the hint that names
 * it. The file is a pure function of the state, so that two writers write the same one.
 */
export async function writeCheckpoint(
	store: Store,
	folder: string,
	state: LogState,
	fixed: readonly FixedColumn[],
): Promise<boolean> {
	const bytes = encodeCheckpoint(state, fixed)
	const key = `${folder}/${checkpointPath(state.version)}`
	if ((await putOnce(store, key, bytes)) === 'exists') return false
	const facts = { version: state.version, size: bytes.length, sha256: digestOf(bytes), entry: state.digest }
	await putOnce(store, `${folder}/${checkpointDigestPath(state.version)}`, sealLines([JSON.stringify(facts)]))
	if (state.version > (await newestCheckpoint(store, folder)))
		await store.replace(`${folder}/${hintName}`, hintOf(state, bytes.length))
	return true
}

/** Version of the newest checkpoint that the hint names, -1 when it names none. A damaged hint counts as none. */
export async function newestCheckpoint(store: Store, folder: string): Promise<number> {
	const bytes = await unlessCorrupt(store.get(`${folder}/${hintName}`))
	return bytes === undefined ? -1 : versionOfHint(Buffer.from(bytes).toString())
}

/** Version of the newest whole checkpoint by listing the log, -1 when there is none: for when the hint is lost. */
export async function findCheckpoint(store: Store, folder: string): Promise<number> {
	let newest = -1
	for await (const { key } of store.list(`${folder}/_delta_log/`)) {
		const match = /(\d{20})\.checkpoint\.seal$/.exec(key)
		if (match) newest = Math.max(newest, Number(match[1]))
	}
	return newest
}

/** The state that a checkpoint holds. Throws VAULT_CORRUPT when it is not what was written. */
export async function readCheckpoint(store: Store, folder: string, version: number) {
	const key = `${folder}/${checkpointPath(version)}`
	const { bytes, digest: sealed } = await checkCheckpoint(store, folder, version)
	const entry = `${folder}/${entryPath(version)}`
	const own = await store.get(entry)
	if (own === undefined) throw corrupt(entry, 'it is missing, yet its checkpoint is there')
	const { digest, timestamp } = parseEntry(entry, own)
	if (sealed !== undefined && digest !== sealed)
		throw corrupt(entry, `its digest is ${digest}, its checkpoint was written behind ${sealed}`)
	try {
		return growState({ ...(await decodeCheckpoint(bytes)), version, digest, timestamp })
	} catch (cause) {
		throw corrupt(key, 'it cannot be decoded', { cause })
	}
}

/**
 * The checkpoint's bytes, compared with the digest that was sealed beside it, and the digest of the entry that it follows.
 * Throws VAULT_CORRUPT naming the bad one.
 */
export async function checkCheckpoint(
	store: Store,
	folder: string,
	version: number,
): Promise<{ bytes: Uint8Array; digest: string | undefined }> {
	const key = `${folder}/${checkpointPath(version)}`
	const sealKey = `${folder}/${checkpointDigestPath(version)}`
	const [bytes, seal] = [await store.get(key), await store.get(sealKey)]
	if (bytes === undefined) throw corrupt(key, 'it is missing')
	if (seal === undefined) throw corrupt(sealKey, 'it is missing')
	const facts = JSON.parse(unsealLines(sealKey, seal)[0] as string) as Seal
	const { size, sha256, entry } = facts
	if (facts.version !== version) throw corrupt(sealKey, `it is the seal of checkpoint ${facts.version}`)
	if (bytes.length !== size) throw corrupt(key, `it has ${bytes.length} bytes, ${size} were written`)
	const digest = digestOf(bytes)
	if (digest !== sha256) throw corrupt(key, `its digest is ${digest}, ${sha256} was written`)
	return { bytes, digest: entry }
}

/** The hint carries a check of itself: one that points elsewhere than written must not move readers to an older state. */
function hintOf({ version, files }: Pick<LogState, 'version' | 'files'>, sizeInBytes: number): Uint8Array {
	const size = files.size
	const tags = { check: digestOf(Buffer.from(`${version} ${size} ${sizeInBytes}`)) }
	return Buffer.from(JSON.stringify({ version, size, sizeInBytes, numOfAddFiles: size, tags }))
}

function versionOfHint(text: string): number {
	try {
		const { version, size, sizeInBytes, tags } = JSON.parse(text) as Record<string, number> & {
			tags: { check: string }
		}
		return tags.check === digestOf(Buffer.from(`${version} ${size} ${sizeInBytes}`)) ? (version as number) : -1
	} catch {
		return -1
	}
}

function encodeCheckpoint(state: LogState, fixed: readonly FixedColumn[]): Uint8Array {
	const none: CheckpointRow = { txn: null, add: null, remove: null, metaData: null, protocol: null }
	const byPath = <T extends { path: string }>(map: ReadonlyMap<string, T>) =>
		[...map.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
	const isRecent = ({ removedAt }: { removedAt: number }) => removedAt > state.timestamp - tombstoneMs
	const transactions = [...state.transactions].sort(([a], [b]) => (a < b ? -1 : 1))
	const rows: CheckpointRow[] = [
		{ ...none, protocol },
		...(state.meta ? [{ ...none, metaData: metaDataOf(state.meta, fixed) }] : []),
		...transactions.map(([appId, version]) => ({ ...none, txn: { appId, version, lastUpdated: null } })),
		...byPath(state.tombstones)
			.filter(isRecent)
			.map((tombstone) => ({ ...none, remove: removeOf(tombstone, false) })),
		...byPath(state.files).map((file) => ({ ...none, add: addOf(file, true) })),
	].map(withBigints)
	const columnData = (['txn', 'add', 'remove', 'metaData', 'protocol'] as const).map((name) => ({
		name,
		data: rows.map((row) => row[name]),
	}))
	const buffer = parquetWriteBuffer({
		columnData,
		schema: checkpointSchema,
		codec: 'ZSTD',
		compressors: { ZSTD: zstdCompressSync },
		statistics: false,
		createdBy: 'reprieve',
	})
	return new Uint8Array(buffer)
}

function withBigints(row: CheckpointRow): CheckpointRow {
	const { add, remove, metaData } = row
	return {
		...row,
		add: add && { ...add, size: BigInt(add.size), modificationTime: BigInt(add.modificationTime) },
		remove: remove && {
			...remove,
			size: BigInt(remove.size),
			deletionTimestamp: BigInt(remove.deletionTimestamp),
		},
		metaData: metaData && { ...metaData, createdTime: BigInt(metaData.createdTime) },
	}
}

async function decodeCheckpoint(bytes: Uint8Array): Promise<Omit<LogState, 'version' | 'digest' | 'timestamp'>> {
	const file = openParquet(bytes, { isRaw: false })
	const column = <K extends keyof CheckpointRow>(name: K) =>
		present(file.readAll(name)) as Promise<NonNullable<CheckpointRow[K]>[]>
	const [txns, adds, removes, metas] = await Promise.all([
		column('txn'),
		column('add'),
		column('remove'),
		column('metaData'),
	])
	const [meta] = metas
	const files = adds.map(fileOf)
	const tombstones = removes.map(tombstoneOf)
	return {
		...(meta ? { meta: metaOf(meta) } : {}),
		files: new Map(files.map((file) => [file.path, file])),
		tombstones: new Map(tombstones.map((tombstone) => [tombstone.path, tombstone])),
		transactions: new Map(txns.map(({ appId, version }) => [appId, version])),
	}
}

async function present(reading: Promise<unknown[]>): Promise<unknown[]> {
	return (await reading).filter((row) => row !== null && row !== undefined)
}

const text = (name: string): SchemaElement => ({
	name,
	type: 'BYTE_ARRAY',
	converted_type: 'UTF8',
	repetition_type: 'OPTIONAL',
})
const long = (name: string): SchemaElement => ({ name, type: 'INT64', repetition_type: 'OPTIONAL' })
const integer = (name: string): SchemaElement => ({ name, type: 'INT32', repetition_type: 'OPTIONAL' })
const bool = (name: string): SchemaElement => ({ name, type: 'BOOLEAN', repetition_type: 'OPTIONAL' })
const map = (name: string): SchemaElement[] => [
	{ name, converted_type: 'MAP', repetition_type: 'OPTIONAL', num_children: 1 },
	{ name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
	{ ...text('key'), repetition_type: 'REQUIRED' },
	text('value'),
]
const group = (name: string, children: SchemaElement[], count: number): SchemaElement[] => [
	{ name, repetition_type: 'OPTIONAL', num_children: count },
	...children,
]
const listOfText = (name: string): SchemaElement[] => [
	{ name, converted_type: 'LIST', repetition_type: 'OPTIONAL', num_children: 1 },
	{ name: 'list', repetition_type: 'REPEATED', num_children: 1 },
	text('element'),
]

const checkpointSchema: SchemaElement[] = [
	{ name: 'root', num_children: 5 },
	...group('txn', [text('appId'), long('version'), long('lastUpdated')], 3),
	...group(
		'add',
		[
			text('path'),
			...map('partitionValues'),
			long('size'),
			long('modificationTime'),
			bool('dataChange'),
			text('stats'),
			...map('tags'),
		],
		7,
	),
	...group(
		'remove',
		[
			text('path'),
			long('deletionTimestamp'),
			bool('dataChange'),
			bool('extendedFileMetadata'),
			...map('partitionValues'),
			long('size'),
		],
		6,
	),
	...group(
		'metaData',
		[
			text('id'),
			...group('format', [text('provider'), ...map('options')], 2),
			text('schemaString'),
			...listOfText('partitionColumns'),
			...map('configuration'),
			long('createdTime'),
		],
		6,
	),
	...group('protocol', [integer('minReaderVersion'), integer('minWriterVersion')], 2),
]
