import type { ChangeRows, TextColumn } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { copyText } from './copy-text.ts'

function column(values: (string | null)[]): TextColumn {
	const offsets = [0]
	const bytes = Buffer.concat(
		values.map((value) => {
			const span = Buffer.from(value ?? '')
			offsets.push((offsets.at(-1) ?? 0) + span.length)
			return span
		}),
	)
	return { bytes, offsets: Uint32Array.from(offsets), present: Uint8Array.from(values, (v) => (v === null ? 0 : 1)) }
}

function text(columns: TextColumn[], at: number[]): string {
	const rows = { columns } as ChangeRows
	return Buffer.concat([...copyText(rows, at, [...columns.keys()], (row) => [String(row), null])]).toString()
}

test('NULL, the empty string and the text \\N are three different values', () => {
	expect(text([column([null, '', '\\N'])], [0, 1, 2])).toBe('0\t\\N\t\\N\n1\t\\N\t\n2\t\\N\t\\\\N\n')
})

test('control characters and backslashes are escaped, other bytes are left alone', () => {
	expect(text([column(['a\tb\nc\rd\\e\bf\vg\fh\u{1f600}'])], [0])).toBe(
		'0\t\\N\ta\\tb\\nc\\rd\\\\e\\bf\\vg\\fh\u{1f600}\n',
	)
})

test('what stands before the columns is escaped as they are, in whatever characters', () => {
	const lines = copyText({ columns: [] } as unknown as ChangeRows, [0], [], () => ['a\tb', 'é\n\u{1f600}', '', null])
	expect(Buffer.concat([...lines]).toString()).toBe('a\\tb\té\\n\u{1f600}\t\t\\N\n')
})

test('only the rows asked for are written, in the order asked for', () => {
	expect(text([column(['a', 'b', 'c'])], [2, 0])).toBe('2\t\\N\tc\n0\t\\N\ta\n')
})

test('a long value is escaped wherever it needs it, and nowhere else', () => {
	const plain = 'é0'.repeat(1_000)
	for (const [byte, told] of Object.entries({
		'\b': '\\b',
		'\t': '\\t',
		'\n': '\\n',
		'\v': '\\v',
		'\f': '\\f',
		'\r': '\\r',
		'\\': '\\\\',
	}))
		expect(text([column([`${plain}${byte}`, plain])], [0, 1])).toBe(`0\t\\N\t${plain}${told}\n1\t\\N\t${plain}\n`)
})

test('a value larger than a buffer is written whole', () => {
	const large = '\\'.repeat(1_000_000)
	expect(text([column([large, 'x'])], [0, 1])).toBe(`0\t\\N\t${large}${large}\n1\t\\N\tx\n`)
})

test('a buffer that is full is handed out as it is, not grown for the line that fills it', () => {
	const cells = Array.from({ length: 10_000 }, () => 'x'.repeat(200))
	const rows = { columns: [column(cells)] } as ChangeRows
	const [first, ...others] = [...copyText(rows, [...cells.keys()], [0], () => [])]
	expect(first?.length).toBeGreaterThanOrEqual(256 * 1024)
	expect(first?.buffer.byteLength).toBeLessThan(512 * 1024)
	expect(Buffer.concat([first as Buffer, ...others]).toString()).toBe(`${cells.join('\n')}\n`)
})
