import { describe, expect, test } from 'vitest'
import { createFrameReader, type FrameReader } from './decode.ts'
import { encodeFrame } from './encode.ts'
import { key, meaningOf, rowsFrame, transactionsFrame } from './fixture.ts'
import type { Frame, RowsFrame } from './frame.ts'
import { type PoisonReason, PoisonRecord } from './poison.ts'

const one = rowsFrame([
	['1', '2', null],
	['a'.repeat(500), '', 'b'.repeat(70)],
])
const two = rowsFrame([
	['3', '4', null],
	['c'.repeat(500), '', 'd'.repeat(70)],
])
const partsOf = (frame: Frame, id: string) => encodeFrame(frame, { key, maxRecordBytes: 900, id })
const [a1, a2, a3] = partsOf(one, 'a') as [Buffer, Buffer, Buffer]
const [b1, b2, b3] = partsOf(two, 'b') as [Buffer, Buffer, Buffer]

/** What reading gave: which frame (by its first value), '' for more needed, or why not. */
function reads(records: Uint8Array[], reader: FrameReader = createFrameReader({ key })): (string | PoisonReason)[] {
	return records.map((record) => {
		try {
			const frame = reader.read(record)
			if (!frame) return ''
			return meaningOf(frame as RowsFrame).columns[0]?.[0] as string
		} catch (error) {
			if (error instanceof PoisonRecord) return error.reason
			throw error
		}
	})
}

test('a frame is cut into records of every size that has room, and joined again', () => {
	const whole = encodeFrame(one, { key, maxRecordBytes: 1 << 20 })[0]?.length as number
	let most = 0
	for (let maxRecordBytes = 440; maxRecordBytes < whole + 60; maxRecordBytes++) {
		const records = encodeFrame(one, { key, maxRecordBytes })
		const sizes = records.map((record) => record.length)
		expect(Math.max(...sizes)).toBeLessThanOrEqual(maxRecordBytes)
		const reader = createFrameReader({ key })
		const read = records.map((record) => [reader.read(record), reader.isPartial])
		expect(read.slice(0, -1)).toEqual(Array(records.length - 1).fill([undefined, true]))
		expect(meaningOf(read.at(-1)?.[0] as RowsFrame)).toEqual(meaningOf(one))
		expect(reader.isPartial).toBe(false)
		most = Math.max(most, records.length)
	}
	expect(most).toBeGreaterThan(20)
	expect(encodeFrame(one, { key, maxRecordBytes: whole + 20 })).toHaveLength(1)
})

test('transactions are cut and joined as well', () => {
	const reader = createFrameReader({ key })
	const read = encodeFrame(transactionsFrame, { key, maxRecordBytes: 600 }).map((record) => reader.read(record))
	expect(read.length).toBeGreaterThan(2)
	expect(read.at(-1)).toEqual(transactionsFrame)
})

test('a limit that the header alone exceeds is refused with both numbers', () => {
	expect(() => encodeFrame(one, { key, maxRecordBytes: 300 })).toThrow(
		/a record of 300 bytes has no room: its header takes \d{3}$/,
	)
})

test('a header names the same frame in each of its parts, and another in another frame', () => {
	const ids = [one, one].map((frame) =>
		encodeFrame(frame, { key, maxRecordBytes: 900 }).map(
			(record) => JSON.parse(Buffer.from(record).toString().split('\n')[0] as string).frame,
		),
	)
	expect(ids.map((each) => new Set(each).size)).toEqual([1, 1])
	expect(ids[0]?.[0]).not.toBe(ids[1]?.[0])
})

describe('parts that do not come as they were sent', () => {
	test.each<[string, Uint8Array[], string[]]>([
		['whole frames one behind the other', [a1, a2, a3, b1, b2, b3], ['', '', '1', '', '', '3']],
		['a sender that crashed and began again', [a1, a2, b1, b2, b3], ['', '', '', '', '3']],
		['a sender that crashed and sent the same again', [a1, a2, a1, a2, a3], ['', '', '', '', '1']],
		['parts that came twice', [a1, a1, a2, a2, a3, a3, a2], ['', '', '', '', '1', '', '']],
		['a whole frame that came twice', [a1, a2, a3, a1, a2, a3], ['', '', '1', '', '', '1']],
		['reading that began in the middle', [a2, a3, b1, b2, b3], ['orphan', 'orphan', '', '', '3']],
		['a part that is missing', [a1, a3], ['', 'parts']],
		['a part that is missing, and comes late', [a1, a3, a2, a3], ['', 'parts', '', '1']],
		['parts of two frames mixed', [a1, b2, a2, b3, a3], ['', 'orphan', '', 'orphan', '1']],
		['a first part of another in between', [a1, b1, a2, a3], ['', '', 'orphan', 'orphan']],
	])('%s', (_, records, expected) => expect(reads(records)).toEqual(expected))

	test('a changed part leaves what was begun as it is', () => {
		const changed = Buffer.from(a2)
		changed[changed.length - 40] = (changed[changed.length - 40] as number) ^ 1
		expect(reads([a1, changed, a2, a3])).toEqual(['', 'signature', '', '1'])
	})

	test('reset forgets what was begun', () => {
		const reader = createFrameReader({ key })
		expect(reads([a1, a2], reader)).toEqual(['', ''])
		reader.reset()
		expect(reader.isPartial).toBe(false)
		expect(reads([a3], reader)).toEqual(['orphan'])
	})

	test('two frames of one id are not joined: their headers differ', () => {
		const other = partsOf({ ...two, header: { ...two.header, partition: 3 } }, 'a')
		expect(reads([a1, other[1] as Buffer, a2, a3])).toEqual(['', 'parts', '', '1'])
	})
})
