import { expect, test } from 'vitest'
import { compareTexts, TextExtremes } from './text-extremes.ts'

/** Beginnings that texts share, each with ends that begin before, at and behind the fourth and the eighth byte. */
const texts = ['', 'us', 'user', 'user12'].flatMap((start) =>
	['', '\u0001', 'a', 'ab', 'abc', 'abcd', 'abcz', 'abcdefgh', 'abcdefgz', 'é', '\u{10ffff}'].map((end) => start + end),
)
const bytes = Buffer.from(texts.join(''))
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
let end = 0
const spans = texts.map((text) => {
	const from = end
	end += Buffer.byteLength(text)
	return { text: Buffer.from(text), from, to: end }
})

test('texts are compared as their bytes are', () => {
	for (const a of spans)
		for (const b of spans)
			expect(Math.sign(compareTexts(view, a.from, a.to, b.from, b.to))).toBe(Buffer.compare(a.text, b.text))
})

test.each([1, 3, 7, 13])(
	'the first of the least and the first of the greatest are found, begun at each text, every %i-th',
	(step) => {
		for (let start = 0; start < spans.length; start++) {
			const extremes = new TextExtremes()
			const rows = spans.map((_, at) => (start + at * step) % spans.length)
			let [min, max] = [rows[0] as number, rows[0] as number]
			for (const row of rows) {
				const { text, from, to } = spans[row] as (typeof spans)[number]
				extremes.add(view, row, from, to)
				if (Buffer.compare(text, spans[min]?.text as Buffer) < 0) min = row
				if (Buffer.compare(text, spans[max]?.text as Buffer) > 0) max = row
			}
			expect(extremes.finish()).toEqual({ min, max })
		}
	},
)

test('where no text came there are none', () => {
	expect(new TextExtremes().finish()).toBeUndefined()
})
