import type { Tuple } from '@reprieve/cdc'
import type { ChangeRows, SourceTable, TextColumn } from '@reprieve/contracts'
import type { PendingSegment, VaultTable } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { type BufferOptions, type RowPlace, TableBuffer } from './buffer.ts'

const id = { attnum: 1, name: 'id', typeOid: 25, typmod: -1, typeName: 'text', typeKind: 'b', notNull: true } as const
const table: SourceTable = {
	...{ oid: 1, schema: 'public', name: 't', kind: 'p', key: ['id'], foreignKeys: [] },
	columns: [{ ...id, generated: '', identity: '' }],
}

test('a row that a flush moved while it was on its way to another leaf still becomes a move', () => {
	const buffer = emptyBuffer()
	append(buffer, 'a', 1n)
	buffer.settle()
	append(buffer, 'b', 2n)
	const leaving = append(buffer, 'c', 2n)
	expect(opsOf(buffer)).toEqual([0])
	buffer.setOp(leaving, 'move')
	append(buffer, 'd', 2n)
	buffer.settle()
	expect(opsOf(buffer)).toEqual([0, 2, 0])
})

test('rows of the transaction under way are handed over only after its commit', () => {
	const buffer = emptyBuffer()
	append(buffer, 'a', 1n)
	expect(buffer.take().rows).toEqual([])
	buffer.settle()
	expect(opsOf(buffer)).toEqual([0])
	expect(buffer.bytes).toBe(0)
})

test('rows of the transaction under way stay behind those of committed ones', () => {
	const buffer = emptyBuffer()
	append(buffer, 'a', 1n)
	buffer.settle()
	append(buffer, 'b', 2n)
	append(buffer, 'c', 2n)
	expect(opsOf(buffer)).toHaveLength(1)
	buffer.settle()
	expect(opsOf(buffer)).toHaveLength(2)
})

test('what was spilled ahead of its commit is handed over only after it', async () => {
	const buffer = emptyBuffer()
	append(buffer, 'a', 1n)
	await buffer.spill()
	expect(buffer.take().spilled).toEqual([])
	buffer.settle()
	expect(buffer.take().spilled).toEqual([segment])
})

test('the memory of spilled rows is used again, and they are not among those that follow', async () => {
	const spilled: string[][] = []
	const buffer = emptyBuffer(async (versions) => {
		spilled.push(versions.flatMap(textsOf))
		return [segment]
	})
	append(buffer, 'a', 1n)
	append(buffer, 'b', 1n)
	await buffer.spill()
	append(buffer, 'c', 1n)
	await buffer.spill()
	append(buffer, 'd', 1n)
	buffer.settle()
	expect(spilled).toEqual([['a', 'b'], ['c']])
	expect(buffer.take().rows.flatMap(textsOf)).toEqual(['d'])
	append(buffer, 'e', 2n)
	buffer.settle()
	expect(buffer.take().rows.flatMap(textsOf)).toEqual(['e'])
})

const segment = { path: 'data/a.parquet' } as PendingSegment

function emptyBuffer(spill: BufferOptions<PendingSegment>['spill'] = async () => [segment]): TableBuffer {
	return new TableBuffer('t', {} as VaultTable, { archived: 0n, known: new Map(), spill })
}

function textsOf({ columns, count }: ChangeRows): string[] {
	const { bytes, offsets } = columns[0] as TextColumn
	return Array.from({ length: count }, (_, row) => Buffer.from(bytes.slice(offsets[row], offsets[row + 1])).toString())
}

function append(buffer: TableBuffer, value: string, position: bigint): RowPlace {
	const tuple: Tuple = { bytes: Buffer.from(value), count: 1, start: Int32Array.of(0), length: Int32Array.of(1) }
	const origin = { op: 'delete', position, ordinal: 0, xid: 1, committedAt: 0n, leaf: null, rewritten: null } as const
	return buffer.append(table, { tuple, places: Int16Array.of(0), origin })
}

function opsOf(buffer: TableBuffer): number[] {
	return buffer.take().rows.flatMap((rows: ChangeRows) => [...rows.op])
}
