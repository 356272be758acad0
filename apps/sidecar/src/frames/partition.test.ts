import type { RowsFrame } from '@reprieve/cdc'
import { changeOps } from '@reprieve/contracts'
import type { PendingSegment, VaultTable } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { endOf } from './chain.ts'
import { place, rowsAt, rowsFrame } from './fixture.ts'
import { type PartitionShare, type PartitionStart, TablePartition } from './partition.ts'

const table = { name: { schema: 'public', name: 't' } } as VaultTable
const start: PartitionStart = { table, source: 'l/1/0', archived: null, floor: endOf(0n), isContiguous: true }
const end = 0xffffffff

/** Frames that arrive one after the other, each in the record at the next offset. */
function after(frames: RowsFrame[], from: Partial<PartitionStart> = {}) {
	const partition = new TablePartition({ ...start, ...from })
	const kinds = frames.map((frame, at) =>
		partition.arrive({ frame, offset: BigInt(at), next: BigInt(at + 1), bytes: 100 }),
	)
	return { partition, kinds, share: partition.take(BigInt(frames.length)) }
}

test('whole shares are taken at the newest position, behind what the log had', () => {
	const { share } = after(
		[rowsFrame(rowsAt([10, 0], [10, 1], [20, 0])), rowsFrame(rowsAt([30, 0]), { predecessor: place(20n, 0) })],
		{ archived: 5n },
	)
	expect(placesOf(share)).toEqual(['10/0', '10/1', '20/0', '30/0'])
	expect(share).toMatchObject({ position: 30n, after: 5n, marks: [{ source: 'l/1/0/offset', position: 2n }] })
})

test('a share that is not whole stays, and reading begins anew with its first frame', () => {
	const { partition, share } = after([
		rowsFrame(rowsAt([10, 0])),
		rowsFrame(rowsAt([20, 0], [30, 0]), { predecessor: place(10n, 0), isComplete: false }),
		rowsFrame(rowsAt([30, 1]), { predecessor: place(30n, 0), isComplete: false }),
	])
	expect(placesOf(share)).toEqual(['10/0', '20/0'])
	expect(share?.marks).toEqual([{ source: 'l/1/0/offset', position: 1n }])
	expect(partition.take(3n)).toBeUndefined()
	partition.arrive(arrivalOf(rowsFrame(rowsAt([30, 2]), { predecessor: place(30n, 1) })))
	const rest = partition.take(4n)
	expect(placesOf(rest)).toEqual(['30/0', '30/1', '30/2'])
	expect(rest).toMatchObject({ position: 30n, marks: [{ source: 'l/1/0/offset', position: 4n }] })
})

test('a frame without rows says that the share before it is whole', () => {
	const { share } = after([
		rowsFrame(rowsAt([10, 0]), { isComplete: false }),
		rowsFrame(rowsAt(), { predecessor: place(10n, 0) }),
	])
	expect(placesOf(share)).toEqual(['10/0'])
})

test('so does a repeated frame that was not the last one when it came first', () => {
	const { share, kinds } = after([
		rowsFrame(rowsAt([10, 0]), { isComplete: false }),
		rowsFrame(rowsAt([10, 0]), { session: 'b' }),
	])
	expect(kinds).toEqual(['follows', 'repeated'])
	expect(placesOf(share)).toEqual(['10/0'])
})

/** A deletion that was spilled, and an update before it of which COMMIT said that it is a relink. */
function relinkBehind() {
	const op = Uint8Array.of(changeOps.indexOf('delete'), changeOps.indexOf('delete'), changeOps.indexOf('relink'))
	const rows = { ...rowsAt([10, 2], [10, 4], [10, 3]), op }
	const deletions = { ...rowsAt([10, 2], [10, 4]), op: op.subarray(0, 2) }
	const relink = { ...rowsAt([10, 3]), op: op.subarray(2) }
	return { rows, deletions, relink }
}

test('a relink is new behind deletions that came after it', () => {
	const { deletions, relink } = relinkBehind()
	const { share, kinds } = after([
		rowsFrame(deletions, { isComplete: false }),
		rowsFrame(relink, { predecessor: place(10n, 4) }),
	])
	expect(kinds).toEqual(['follows', 'follows'])
	expect(placesOf(share)).toEqual(['10/2', '10/4', '10/3'])
})

test('deletions and a relink behind them are taken once, however they are cut', () => {
	const { rows, deletions } = relinkBehind()
	const { share, kinds } = after([
		rowsFrame(rows),
		rowsFrame(deletions, { session: 'b', isComplete: false }),
		rowsFrame(rows, { session: 'c' }),
	])
	expect(kinds).toEqual(['follows', 'repeated', 'repeated'])
	expect(placesOf(share)).toEqual(['10/2', '10/4', '10/3'])
})

test('so do rows of a later transaction', () => {
	const { share } = after([
		rowsFrame(rowsAt([10, 0]), { isComplete: false }),
		rowsFrame(rowsAt([20, 0]), { predecessor: place(10n, 0), isComplete: false }),
	])
	expect(placesOf(share)).toEqual(['10/0'])
	expect(share?.position).toBe(10n)
})

test('what overlaps is taken once', () => {
	const { share } = after([
		rowsFrame(rowsAt([10, 0], [10, 1]), { isComplete: false }),
		rowsFrame(rowsAt([10, 0], [10, 1], [10, 2]), { session: 'b' }),
	])
	expect(placesOf(share)).toEqual(['10/0', '10/1', '10/2'])
})

test('what lies at or below the floor is in the vault', () => {
	const { share, kinds } = after([rowsFrame(rowsAt([10, 0], [20, 0])), rowsFrame(rowsAt([20, 0]))], {
		floor: endOf(15n),
	})
	expect(placesOf(share)).toEqual(['20/0'])
	expect(kinds).toEqual(['follows', 'repeated'])
})

test('nothing is taken behind a hole until it is healed', () => {
	const lost = rowsAt([20, 0])
	const { share, kinds } = after([
		rowsFrame(rowsAt([10, 0])),
		rowsFrame(rowsAt([30, 0]), { predecessor: place(20n, 0) }),
		rowsFrame(rowsAt([40, 0]), { predecessor: place(30n, 0) }),
		rowsFrame(lost, { session: 'b', predecessor: place(9n, end) }),
		rowsFrame(rowsAt([30, 0], [40, 0]), { session: 'b', predecessor: place(20n, 0) }),
	])
	expect(kinds).toEqual(['follows', 'hole', 'hole', 'follows', 'follows'])
	expect(placesOf(share)).toEqual(['10/0', '20/0', '30/0', '40/0'])
})

test('a gap is marked from a share that never became whole, whose rows are dropped', () => {
	const partition = new TablePartition(start)
	partition.arrive(arrivalOf(rowsFrame(rowsAt([10, 0], [20, 0]), { isComplete: false })))
	partition.skip()
	const kind = partition.arrive(arrivalOf(rowsFrame(rowsAt([60, 0]), { session: 'b', predecessor: place(50n, end) })))
	expect(kind).toBe('gap')
	const share = partition.take(9n)
	expect(placesOf(share)).toEqual(['10/0', '60/0'])
	expect(share?.gaps).toEqual([{ from: place(19n, end), to: place(50n, end), isLost: true }])
	expect(share?.marks).toContainEqual({ source: 'l/1/0/gap/19', position: 50n })
})

test('a session that starts later leaves a mark, but no gap, where nothing was left out', () => {
	const { share, kinds } = after([rowsFrame(rowsAt([60, 0]), { predecessor: place(50n, end) })])
	expect(kinds).toEqual(['starts'])
	expect(share?.gaps).toEqual([{ from: endOf(0n), to: place(50n, end), isLost: false }])
})

test('rows that were written ahead are named with the rest of their share', () => {
	const partition = new TablePartition(start)
	partition.arrive(arrivalOf(rowsFrame(rowsAt([10, 0]), { isComplete: false })))
	expect(partition.bytes).toBe(100)
	expect(partition.takeOpen().length).toBe(1)
	expect(partition.bytes).toBe(0)
	const segment = { path: 'data/a.parquet' } as PendingSegment
	partition.putSegments([segment])
	expect(partition.take(1n)).toBeUndefined()
	partition.arrive(arrivalOf(rowsFrame(rowsAt([10, 1]), { predecessor: place(10n, 0) })))
	expect(partition.take(2n)).toMatchObject({ segments: [segment], position: 10n })
})

test('it says which transactions it has and which are new', () => {
	const { partition } = after([rowsFrame(rowsAt([10, 0], [20, 0]))])
	const { repeated, fresh } = partition.identify(rowsFrame(rowsAt([10, 0], [20, 0], [20, 1], [30, 0])))
	expect(repeated.map(({ position }) => position)).toEqual([10n, 20n])
	expect(fresh.map(({ position }) => position)).toEqual([20n, 30n])
})

function arrivalOf(frame: RowsFrame) {
	return { frame, offset: 0n, next: 1n, bytes: 100 }
}

function placesOf(share: PartitionShare | undefined): string[] | undefined {
	return share?.spans.flatMap(({ rows, from, to }) =>
		Array.from({ length: to - from }, (_, at) => `${rows.position[from + at]}/${rows.ordinal[from + at]}`),
	)
}
