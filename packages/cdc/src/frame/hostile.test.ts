import { describe, expect, test } from 'vitest'
import { createFrameReader } from './decode.ts'
import { encodeFrame } from './encode.ts'
import { key, rowsFrame, transactionsFrame } from './fixture.ts'
import type { Frame } from './frame.ts'
import { PoisonRecord } from './poison.ts'
import { sign } from './record.ts'

type Json = Record<string, unknown>
const rows = rowsFrame([
	['1', null, 'x'.repeat(300)],
	['a', 'b', 'c'],
])

/** A record of whoever has the key, edited and signed again; lengths of the line follow the payload unless edited. */
function resigned(frame: Frame, edit: { line?: (line: Json) => void; payload?: (payload: Buffer) => Buffer }): Buffer {
	const [record] = encodeFrame(frame, { key, maxRecordBytes: 1 << 20 }) as [Buffer]
	const end = record.indexOf('\n')
	const payload = record.subarray(end + 1, -32)
	const body = edit.payload?.(payload) ?? payload
	const line = JSON.parse(record.toString('utf8', 0, end)) as Json
	Object.assign(line, { body: body.length, payload: body.length })
	edit.line?.(line)
	const made = Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n`), body, Buffer.alloc(32)])
	sign(made, key)
	return made
}

/** Edits the second line. */
function described(edit: (description: Json) => void): (payload: Buffer) => Buffer {
	return (payload) => {
		const end = payload.indexOf('\n')
		const description = JSON.parse(payload.toString('utf8', 0, end)) as Json
		edit(description)
		return Buffer.concat([Buffer.from(JSON.stringify(description)), payload.subarray(end)])
	}
}

function reasonOf(record: Uint8Array): string {
	try {
		createFrameReader({ key }).read(record)
		return 'read'
	} catch (error) {
		if (error instanceof PoisonRecord) return error.reason
		throw error
	}
}

const set = (path: string, value: unknown) => (object: Json) => {
	const steps = path.split('.')
	const holder = steps.slice(0, -1).reduce((at, step) => at[step] as Json, object)
	holder[steps.at(-1) as string] = value
}

test('an edit of nothing reads, so that the others show what they are for', () => {
	expect(reasonOf(resigned(rows, {}))).toBe('read')
	expect(reasonOf(resigned(transactionsFrame, {}))).toBe('read')
	expect(reasonOf(resigned(rows, { payload: described(() => {}) }))).toBe('read')
})

const huge = [2 ** 28, 2 ** 30, 2 ** 32, 2 ** 53 - 1]

describe.each(['rows', 'runs', 'rewritten', 'columns.0.bytes', 'columns.1.bytes'])('a description with %s', (field) => {
	test.each([0, 1, 2, 4, ...huge])(
		'of %d is refused by its lengths, and nothing of that size is allocated',
		(value) => {
			const record = resigned(rows, { payload: described(set(field, value)) })
			const before = process.memoryUsage().arrayBuffers
			expect(reasonOf(record)).toMatch(/^(lengths|content)$/)
			expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20)
		},
	)

	test.each([-1, 1.5, '3', null, 1e300, undefined])('of %s is refused as content', (value) => {
		expect(reasonOf(resigned(rows, { payload: described(set(field, value)) }))).toBe('content')
	})
})

describe('a line that contradicts its record is refused', () => {
	test.each<[string, unknown, string]>([
		['body', 5, 'lengths'],
		['body', 2 ** 53 - 1, 'lengths'],
		['payload', 5, 'lengths'],
		['payload', 2 ** 53 - 1, 'lengths'],
		['part', 0, 'content'],
		['parts', 0, 'content'],
		['part', 2, 'orphan'],
		['kind', 'both', 'content'],
		['kind', 'transactions', 'content'],
		['predecessor', { position: 5, ordinal: 0 }, 'content'],
		['predecessor', { position: '18446744073709551616', ordinal: 0 }, 'content'],
		['predecessor', { position: '05', ordinal: 0 }, 'content'],
		['predecessor', { position: '5', ordinal: 2 ** 32 }, 'content'],
		['later', true, 'content'],
		['isUrgent', undefined, 'content'],
	])('%s = %j', (field, value, reason) => {
		expect(reasonOf(resigned(rows, { line: set(field, value) }))).toBe(reason)
	})

	test('in the number of parts', () => {
		const record = resigned(rows, { line: (line) => Object.assign(line, { part: 1, parts: 3 }) })
		const reader = createFrameReader({ key })
		expect(reader.read(record)).toBeUndefined()
		const next = resigned(rows, { line: (line) => Object.assign(line, { part: 2, parts: 3 }) })
		expect(() => reader.read(next)).toThrow(PoisonRecord)
	})
})

describe('content that version 1 does not have is refused', () => {
	test.each<[string, (payload: Buffer) => Buffer]>([
		['a column less', described((said) => (said.columns as unknown[]).pop())],
		['a width of 3', described(set('columns.0.width', 3))],
		['no table', described(set('table', undefined))],
		['a table without a key', described(set('table.key', undefined))],
		['an unknown field', described(set('compression', 'none'))],
		['text that is no JSON', () => Buffer.from('{"rows":\n')],
		[
			'a name that is no UTF-8',
			(payload) => payload.fill(0xff, payload.indexOf('orders'), payload.indexOf('orders') + 1),
		],
		['arrays in arrays without end', () => Buffer.from(`${'['.repeat(200_000)}\n`)],
	])('%s', (_, payload) => expect(reasonOf(resigned(rows, { payload }))).toBe('content'))

	test.each([
		['a leaf', 0],
		['a kind of change', 3 * 4],
	])('%s that there is none of', (_, behindOrdinals) => {
		const edit = (payload: Buffer) => {
			// Three rows in three runs: positions, times, lengths and xids of the runs, then ordinals.
			const at = payload.indexOf('\n') + 1 + 3 * (8 + 8 + 4 + 4) + 3 * 4 + behindOrdinals
			payload[at] = 9
			return payload
		}
		expect(reasonOf(resigned(rows, { payload: edit }))).toBe('content')
	})

	test.each([null, [], 3, { orders: null }, { orders: { deleted: -1, relinked: 0 } }, { orders: { deleted: 1 } }])(
		'counts of rows that are %j',
		(counts) => {
			const edit = described((said) => set('0.archived.rows', counts)(said.transactions as Json))
			expect(reasonOf(resigned(transactionsFrame, { payload: edit }))).toBe('content')
		},
	)

	test('rows of no leaf', () => {
		const plain = rowsFrame([['1', '2']], { leaf: [null, null] })
		expect(reasonOf(resigned(plain, { payload: described(set('leaves', [])) }))).toBe('content')
	})

	test('a flag of NULL that is neither 0 nor 1', () => {
		const edit = (payload: Buffer) => {
			payload[payload.lastIndexOf('1xxx') - 3] = 2
			return payload
		}
		expect(reasonOf(resigned(rows, { payload: edit }))).toBe('content')
	})

	test('a row that is rewritten twice, or does not exist', () => {
		for (const list of ['[[1,{}],[1,{}]]', '[[3,{}]]', '[[1,{"a":1}]]', '[[1,[]]]', '{}']) {
			const edit = described((said) => {
				said.rewritten = list.length
			})
			const frame = rowsFrame([['1', '2', '3']], { rewritten: [null, null, null] })
			const put = (payload: Buffer) => {
				const whole = edit(payload)
				const at = whole.length - (1 + 1 + 1) * 2
				return Buffer.concat([whole.subarray(0, at), Buffer.from(list), whole.subarray(at)])
			}
			expect(reasonOf(resigned(frame, { payload: put })), list).toBe('content')
		}
	})

	test.each([
		['runs of more rows', (payload: Buffer) => payload.indexOf('\n') + 1 + 3 * (8 + 8)],
		['values of more bytes', (payload: Buffer) => payload.length - 6],
	])('%s than the frame has', (_, at) => {
		for (const value of [0, 200]) {
			const edit = (payload: Buffer) => payload.fill(value, at(payload), at(payload) + 1)
			expect(reasonOf(resigned(rows, { payload: edit }))).toBe('lengths')
		}
	})

	test('bytes behind the last buffer, or fewer than there should be', () => {
		const more = (payload: Buffer) => Buffer.concat([payload, Buffer.of(0)])
		for (const frame of [rows, transactionsFrame]) expect(reasonOf(resigned(frame, { payload: more }))).toBe('lengths')
		expect(reasonOf(resigned(rows, { payload: (payload) => payload.subarray(0, -1) }))).toBe('lengths')
		expect(reasonOf(resigned(rows, { payload: () => Buffer.alloc(0) }))).toBe('lengths')
	})
})
