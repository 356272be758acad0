import { expect, test } from 'vitest'
import { formatPosition, parsePosition } from './position.ts'
import { cellFromText, formatInstant, parseInstant } from './values.ts'

test.each([0n, 1n, -1n, 999_999n, -1_000_001n, 1_795_380_138_247_123n, -62_135_596_800_000_000n])(
	'an instant of %d microseconds keeps every microsecond',
	(micros) => {
		expect(parseInstant(formatInstant(micros))).toBe(micros)
	},
)

test('an instant may have an offset and fewer digits', () => {
	expect(parseInstant('2026-11-22T12:00:00.5+01:00')).toBe(parseInstant('2026-11-22T11:00:00.500000Z'))
})

test.each(['2026-11-22', 'now', '2026-11-22T12:00:00', '2026-13-01T00:00:00Z'])('refuses the instant %j', (text) => {
	expect(() => parseInstant(text)).toThrow(RangeError)
})

test('only booleans and small integers become JSON scalars', () => {
	expect([cellFromText('t', 16), cellFromText('7', 23), cellFromText('7', 20), cellFromText(null, 23)]).toEqual([
		true,
		7,
		'7',
		null,
	])
})

test('positions sort as text in log order', () => {
	const positions = [0n, 9n, 255n, 0x16b374d848n].map((lsn) => formatPosition({ timeline: 1, lsn }))
	expect([...positions].sort()).toEqual(positions)
	expect(parsePosition(positions[3] as string)).toEqual({ timeline: 1, lsn: 0x16b374d848n })
})
