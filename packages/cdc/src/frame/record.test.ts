import { describe, expect, test } from 'vitest'
import { createFrameReader } from './decode.ts'
import { encodeFrame } from './encode.ts'
import { key, rowsFrame } from './fixture.ts'
import { type PoisonReason, PoisonRecord } from './poison.ts'

const [record] = encodeFrame(rowsFrame([['1', null, 'x'.repeat(300)]]), { key, maxRecordBytes: 1 << 20 }) as [Buffer]
const line = record.indexOf('\n')

function reasonOf(bytes: Uint8Array, withKey: Uint8Array = key): PoisonReason | 'read' {
	try {
		createFrameReader({ key: withKey }).read(bytes)
		return 'read'
	} catch (error) {
		if (error instanceof PoisonRecord) return error.reason
		throw error
	}
}

function edited(from: string, to: string): Buffer {
	const text = record.toString('latin1')
	expect(text).toContain(from)
	return Buffer.from(text.replace(from, to), 'latin1')
}

test('a record cut anywhere is truncated', () => {
	for (let length = 0; length < record.length; length++)
		expect(reasonOf(record.subarray(0, length)), `cut at ${length}`).toBe('truncated')
})

test('a record with any bit changed is refused', () => {
	for (let at = 0; at < record.length; at++) {
		const changed = Buffer.from(record)
		changed[at] = (changed[at] as number) ^ (1 << (at % 8))
		expect(reasonOf(changed), `byte ${at}`).not.toBe('read')
		if (at > line) expect(reasonOf(changed), `byte ${at}`).toBe('signature')
	}
})

test('another version is called by its number even where nobody signed it', () => {
	const other = edited('"version":1,', '"version":2,')
	expect(() => createFrameReader({ key }).read(other)).toThrow(
		expect.objectContaining({ reason: 'version', message: 'the record is of version 2, I read 1' }),
	)
})

describe('a record is refused', () => {
	test.each<[string, Uint8Array, PoisonReason]>([
		["that is somebody else's", Buffer.from('{"before":null,"after":{"id":1}}'), 'notAFrame'],
		['that is no text', Buffer.alloc(500, 0xff), 'notAFrame'],
		['that has bytes behind its end', Buffer.concat([record, Buffer.of(0)]), 'signature'],
		['that was moved to another topic', edited('reprieve.public.orders', 'reprieve.public.orderz'), 'signature'],
		['that says another database', edited('"shop"', '"shap"'), 'signature'],
		['that says a longer body', edited('"body":', '"body":9'), 'truncated'],
		['that has no line', Buffer.concat([record.subarray(0, 90), Buffer.alloc(100, 32)]), 'truncated'],
	])('%s', (_, bytes, reason) => expect(reasonOf(bytes)).toBe(reason))

	test('that was signed with another key', () => expect(reasonOf(record, Buffer.alloc(32, 8))).toBe('signature'))
})

test('the messages hold both numbers', () => {
	expect(() => createFrameReader({ key }).read(record.subarray(0, record.length - 5))).toThrow(
		`the record has ${record.length - 5} bytes of ${record.length}`,
	)
})
