import type { Part } from '../values/bounds.ts'
import { type Extremes, isBitSet, type NativeMaps, type NativeValues } from '../values/native.ts'
import { plainBounds } from './bounds.ts'
import { countPresent, putPresence, putRun, putRuns, Runs } from './levels.ts'
import { putPlain } from './plain.ts'
import { physicalTypes, typeOf } from './schema.ts'
import { Scratch } from './scratch.ts'
import { i32, i64, list, struct, type ThriftStruct, type ThriftValue, text, writeThrift, written } from './thrift.ts'
import { compress } from './zstd.ts'

/** One leaf column of one row group: its pages, and what the footer says of them but for their place. */
export type Chunk = {
	pages: Uint8Array[]
	size: number
	plainSize: number
	dictionarySize: number
	meta: ThriftStruct
	statistics?: ThriftValue
}

const encodings = { plain: 0, runs: 3, dictionary: 8 }
const pages = { data: 0, dictionary: 2 }
const plainEncodings = written(list(5, [encodings.plain, encodings.runs].map(i32)))
const sharedEncodings = written(list(5, [encodings.plain, encodings.runs, encodings.dictionary].map(i32)))
const zstd = 6

/** Written to by one chunk at a time, from beginning to end without a pause. */
const scratch = new Scratch()

/** Where a leaf column stands in the schema. */
export function pathOf(...names: string[]): ThriftValue {
	return written(list(8, names.map(text)))
}

/** The chunk of a column's rows `from` to `to`; `extremes` give it statistics. */
export function encodeChunk(
	path: ThriftValue,
	data: NativeValues,
	{ from, to, extremes }: { from: number; to: number; extremes: Extremes | undefined },
): Chunk {
	const present = countPresent(data.nullBitmap, from, to)
	const part = { from, to, isFull: present === to - from }
	scratch.reset()
	putPresence(scratch, data.nullBitmap, part)
	const count = to - from
	const bounds = extremes && plainBounds(data, extremes)
	const statistics =
		bounds &&
		struct([
			[3, i64(count - present)],
			[5, bounds.max],
			[6, bounds.min],
		])
	return finish(path, data, { part, count, present, ...(statistics && { statistics }) })
}

/** The chunks of the keys and of the values of maps. */
export function encodeMapChunks(
	paths: { key: ThriftValue; value: ThriftValue },
	maps: NativeMaps,
	{ from, to }: { from: number; to: number },
): [Chunk, Chunk] {
	const chunkOf = (path: ThriftValue, data: NativeValues, full: number) => {
		const { repeats, levels, count } = levelsOf(maps, { from, to }, data, full)
		scratch.reset()
		putRuns(scratch, repeats)
		putRuns(scratch, levels)
		const entries = { from: maps.offsets[from] as number, to: maps.offsets[to] as number }
		const present = countPresent(data.nullBitmap, entries.from, entries.to)
		const part = { ...entries, isFull: present === entries.to - entries.from }
		return finish(path, data, { part, count, present })
	}
	return [chunkOf(paths.key, maps.keys, 2), chunkOf(paths.value, maps.items, 3)]
}

/** Of every entry, and of every row without one: whether it goes on with a map, and how deep it goes (`full`: a text). */
function levelsOf(maps: NativeMaps, rows: { from: number; to: number }, texts: NativeValues, full: number) {
	const [repeats, levels] = [new Runs(), new Runs()]
	const { from, to } = rows
	if (maps.offsets[from] === maps.offsets[to] && countPresent(maps.nullBitmap, from, to) === 0) {
		repeats.add(0, to - from)
		levels.add(0, to - from)
		return { repeats, levels, count: to - from }
	}
	let count = 0
	for (let row = from; row < to; row++) {
		const [first, end] = [maps.offsets[row] as number, maps.offsets[row + 1] as number]
		if (first === end) levels.add(isBitSet(maps.nullBitmap, row) ? 1 : 0)
		for (let entry = first; entry < end; entry++) levels.add(isBitSet(texts.nullBitmap, entry) ? full : 2)
		for (let entry = first; entry < Math.max(end, first + 1); entry++) repeats.add(entry > first ? 1 : 0)
		count += Math.max(end - first, 1)
	}
	return { repeats, levels, count }
}

/** The levels are in the scratch: puts the values behind them; one that all rows share stands once in a dictionary. */
function finish(
	path: ThriftValue,
	data: NativeValues,
	rows: { part: Part; count: number; present: number; statistics?: ThriftValue },
): Chunk {
	const { part, count, present, statistics } = rows
	const start = scratch.used
	putPlain(scratch, data, part)
	const shared = sharedValue(scratch.written.subarray(start), data, present)
	const dictionary =
		shared &&
		pageOf(
			pages.dictionary,
			7,
			Buffer.from(shared),
			struct([
				[1, i32(1)],
				[2, i32(encodings.plain)],
			]),
		)
	if (shared) {
		scratch.used = start
		scratch.put(Uint8Array.of(1))
		putRun(scratch, present, 0)
	}
	const encoding = shared ? encodings.dictionary : encodings.plain
	const levels = i32(encodings.runs)
	const body = pageOf(
		pages.data,
		5,
		scratch.written,
		struct([
			[1, i32(count)],
			[2, i32(encoding)],
			[3, levels],
			[4, levels],
		]),
	)
	scratch.reset()
	const all = [...(dictionary ? [dictionary] : []), body]
	const size = all.reduce((sum, page) => sum + page.size, 0)
	const plainSize = all.reduce((sum, page) => sum + page.plainSize, 0)
	const meta: ThriftStruct = new Map([
		[1, i32(physicalTypes[typeOf(data.type).physical])],
		[2, shared ? sharedEncodings : plainEncodings],
		[3, path],
		[4, i32(zstd)],
		[5, i64(count)],
		[6, i64(plainSize)],
		[7, i64(size)],
	])
	return {
		pages: all.flatMap(({ parts }) => parts),
		size,
		plainSize,
		dictionarySize: dictionary?.size ?? 0,
		meta,
		...(statistics && { statistics }),
	}
}

/** The one value that all of them are: then the bytes are the same when moved by its size. */
function sharedValue(plain: Buffer, data: NativeValues, present: number): Buffer | undefined {
	const { physical, size: fixed } = typeOf(data.type)
	if (present < 2 || physical === 'BOOLEAN') return undefined
	const size = data.spans ? 4 + plain.readUInt32LE() : fixed
	if (size * present !== plain.length) return undefined
	return plain.subarray(size).equals(plain.subarray(0, plain.length - size)) ? plain.subarray(0, size) : undefined
}

function pageOf(
	kind: number,
	field: number,
	plain: Uint8Array,
	header: ThriftValue,
): { parts: Uint8Array[]; size: number; plainSize: number } {
	const body = compress(plain)
	const sizes = (compressed: number) =>
		writeThrift(
			new Map([
				[1, i32(kind)],
				[2, i32(plain.length)],
				[3, i32(compressed)],
				[field, header],
			]),
		)
	const head = sizes(body.length)
	return { parts: [head, body], size: head.length + body.length, plainSize: head.length + plain.length }
}
