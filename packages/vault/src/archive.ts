import type { ChangeRows, SourceTable } from '@reprieve/contracts'
import { assignColumns, type VaultColumn } from './columns.ts'
import type { SegmentFile, TableMeta } from './log/actions.ts'
import { findSlices } from './lookup/find.ts'
import { type Selector, segmentTest, selectRows } from './query.ts'
import { corrupt, digestOf, MissingObject } from './seal.ts'
import { decryptSegment, type SegmentKeys } from './segment/cipher.ts'
import { openParquet } from './segment/parquet.ts'
import { comparePlaces, parseRange, type Range } from './segment/range.ts'
import { changesOf, type RowGroup, type RowRef, rowGroupsOf } from './segment/read.ts'
import { openSlice, type Slice } from './segment/slices.ts'
import type { Store } from './store.ts'
import type { ReadQuery } from './vault.ts'

/** Rows per chunk that a read hands out. */
const chunkRows = 5_000

/** Where a table lies, the keys of its segments where they are encrypted, and what names new objects. */
export type Place = { store: Store; folder: string; keys?: SegmentKeys; newId: () => string }

/** The rows of a query in (position, ordinal) order, from the given segments. */
export async function* readChanges(
	place: Place,
	archive: { meta: TableMeta; files: readonly SegmentFile[] },
	query: ReadQuery,
): AsyncIterable<ChangeRows> {
	let left = query.limit ?? Number.POSITIVE_INFINITY
	if (left <= 0) return
	const possible = possibleFiles(archive, query)
	const wanted = await narrowed(place, { meta: archive.meta, files: possible }, query)
	for (const cluster of clustersOf(wanted, query.descending ?? false)) {
		for await (const refs of orderedRefs(place, { meta: archive.meta, files: cluster }, query)) {
			for (const part of chunksOf(refs.slice(0, left)))
				yield await changesOf(part.refs, part.table, { wanted: query.columns?.(part.table) })
			left -= refs.length
			if (left <= 0) return
		}
	}
}

function possibleFiles(
	{ meta, files }: { meta: TableMeta; files: readonly SegmentFile[] },
	query: ReadQuery,
): SegmentFile[] {
	const mayMatch = segmentTest(query)
	const sources = new Map<number | undefined, ReturnType<typeof sourceOf>>()
	return files.filter((file) => {
		const source = sources.get(file.schema) ?? sourceOf(meta, file)
		sources.set(file.schema, source)
		return mayMatch(file, source)
	})
}

/** The schema version of a segment, and the vault columns parallel to the version's own. */
export function sourceOf(meta: TableMeta, file: SegmentFile): { table: SourceTable; columns: VaultColumn[] } {
	const table = meta.schemas[file.schema ?? -1]
	if (!table) throw corrupt(file.path, `the log has no schema version ${file.schema}`)
	return { table, columns: assignColumns(meta.columns, table).columns }
}

/** The bytes of a segment, compared with the log's digest, decrypted. Throws VAULT_CORRUPT naming the object. */
export async function readWhole(place: Place, file: Pick<SegmentFile, 'path' | 'size' | 'sha256' | 'key'>) {
	const bytes = await readStored(place, file)
	return file.key === undefined
		? bytes
		: decryptSegment(place.keys, `${place.folder}/${file.path}`, { key: file.key, bytes })
}

/** The bytes of a segment's object as they lie in the store, compared with the log's digest. */
export async function readStored({ store, folder }: Place, file: Pick<SegmentFile, 'path' | 'size' | 'sha256'>) {
	const object = `${folder}/${file.path}`
	const bytes = await store.get(object)
	if (bytes === undefined) throw new MissingObject(object)
	if (bytes.length !== file.size) throw corrupt(object, `it has ${bytes.length} bytes, the log says ${file.size}`)
	const digest = digestOf(bytes)
	if (digest !== file.sha256) throw corrupt(object, `its digest is ${digest}, the log says ${file.sha256}`)
	return bytes
}

/** What is to be read of a segment: some of its slices, or the whole. */
type Wanted = SegmentFile & { slices?: readonly Slice[] }

type Ranged = Wanted & { at: Range }

/** Segments of which the key index does not say that they hold nothing of the query. */
async function narrowed(
	place: Place,
	archive: { meta: TableMeta; files: readonly SegmentFile[] },
	{ keys }: ReadQuery,
): Promise<Wanted[]> {
	if (!keys) return [...archive.files]
	const found = await findSlices(place, archive, keys)
	return archive.files.flatMap((file) => {
		const slices = found.get(file.path)
		if (slices?.length === 0) return []
		const bytes = slices?.reduce((sum, { size }) => sum + size, 0) ?? file.size
		return bytes * 2 < file.size ? [{ ...file, slices }] : [file]
	})
}

/** Parquet files that hold what is wanted of a segment, each compared with its digest. */
async function readWanted(place: Place, file: Wanted): Promise<Uint8Array[]> {
	if (!file.slices) return [await readWhole(place, file)]
	return await Promise.all(file.slices.map((slice) => readSlice(place, file, slice)))
}

async function readSlice({ store, folder }: Place, { path, size }: SegmentFile, slice: Slice): Promise<Uint8Array> {
	const object = `${folder}/${path}`
	const bytes = await store.getRange(object, slice.offset, Math.min(slice.offset + slice.size, size))
	if (bytes === undefined) throw new MissingObject(object)
	return openSlice(object, { path, offset: slice.offset }, bytes)
}

/** Segments whose ranges overlap are read together; all others one after the other. */
function clustersOf(files: readonly Wanted[], isDescending: boolean): Ranged[][] {
	const ranged = files.map((file) => ({ ...file, at: parseRange(file.range) }))
	ranged.sort((a, b) => comparePlaces(a.at.first, b.at.first))
	const clusters: { files: Ranged[]; final: Range['final'] }[] = []
	for (const file of ranged) {
		const newest = clusters.at(-1)
		if (newest && comparePlaces(file.at.first, newest.final) <= 0) {
			newest.files.push(file)
			if (comparePlaces(file.at.final, newest.final) > 0) newest.final = file.at.final
		} else clusters.push({ files: [file], final: file.at.final })
	}
	if (isDescending) clusters.reverse()
	return clusters.map((cluster) => cluster.files)
}

/** A part of one row group at a time where the rows lie in order, else the whole cluster sorted. */
async function* orderedRefs(
	place: Place,
	{ meta, files }: { meta: TableMeta; files: readonly Ranged[] },
	query: ReadQuery,
): AsyncIterable<RowRef[]> {
	const select = selectRows(query)
	const isStreamed = files.length === 1 && files[0]?.at.isOrdered
	const groups: RowGroup[] = []
	for (const file of files) {
		const { table, columns } = sourceOf(meta, file)
		for (const parquet of await readWanted(place, file))
			groups.push(...rowGroupsOf(openParquet(parquet), table, columns))
	}
	if (query.descending) groups.reverse()
	if (isStreamed) while (groups.length > 0) yield* refsOf(groups.shift() as RowGroup, select, query.descending)
	else yield await sortedRefs(groups, select, query.descending)
}

/** A chunk's at a time: they are gone with it. */
async function* refsOf(group: RowGroup, select: Selector, isDescending = false): AsyncIterable<RowRef[]> {
	const rows = await select(group)
	if (isDescending) rows.reverse()
	for (let start = 0; start < rows.length; start += chunkRows)
		yield rows.slice(start, start + chunkRows).map((row) => ({ group, row }))
}

async function sortedRefs(groups: readonly RowGroup[], select: Selector, isDescending = false): Promise<RowRef[]> {
	const placed: (RowRef & { position: bigint; ordinal: number })[] = []
	for (const group of groups) {
		const position = (await group.values('_position')) as ArrayLike<bigint>
		const ordinal = (await group.values('_ordinal')) as ArrayLike<number>
		for (const row of await select(group))
			placed.push({ group, row, position: position[row] as bigint, ordinal: ordinal[row] as number })
	}
	const sign = isDescending ? -1 : 1
	return placed.sort((a, b) => sign * comparePlaces(a, b))
}

/** Chunks of one schema version each. */
function* chunksOf(refs: readonly RowRef[]): Iterable<{ refs: RowRef[]; table: SourceTable }> {
	let start = 0
	while (start < refs.length) {
		const { table } = (refs[start] as RowRef).group
		let end = start + 1
		while (end < refs.length && end - start < chunkRows && refs[end]?.group.table === table) end++
		yield { refs: refs.slice(start, end), table }
		start = end
	}
}
