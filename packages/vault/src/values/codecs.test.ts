import { expect, test } from 'vitest'
import { cellsOf } from '../segment/cells.ts'
import { boundsOf, extremesOf } from './bounds.ts'
import type { DeltaType } from './codec.ts'
import { cellAt } from './native.ts'
import { codecOf } from './types.ts'

/** The texts that the native form takes in; all of them must come back as they were. */
function native(type: DeltaType, texts: string[]): string[] {
	const { encode, decode } = codecOf(type)
	const { data, exact } = encode(cellsOf(texts), 0, texts.length)
	return texts.filter((text, row) => {
		if (exact.includes(row)) return false
		expect(String(Buffer.from(decode(cellAt(data, row))))).toBe(text)
		return true
	})
}

test('whole numbers are native up to the limits of their type, in one spelling', () => {
	const spellings = ['0', '-1', '-0', '+1', '01', '', ' 1', '1.0', '1e3']
	expect(native('short', [...spellings, '32767', '-32768', '32768'])).toEqual(['0', '-1', '32767', '-32768'])
	expect(native('integer', [...spellings, '-2147483648', '2147483648'])).toEqual(['0', '-1', '-2147483648'])
	expect(native('long', [...spellings, '9007199254740993', '-9223372036854775808', '9223372036854775808'])).toEqual([
		'0',
		'-1',
		'9007199254740993',
		'-9223372036854775808',
	])
})

test('a decimal is native with exactly the digits of its scale', () => {
	const texts = ['1.50', '-0.05', '0.00', '99999999.99', '-99999999.99']
	expect(
		native('decimal(10,2)', [...texts, '1.5', '1', '.50', '01.50', '-0.00', 'NaN', '100000000.00', '1.50 ']),
	).toEqual(texts)
	const wide = ['12345678901234567890123456789012345678', '-12345678901234567890123456789012345678', '0', '-1']
	expect(native('decimal(38,0)', [...wide, '00', '-0', '1.'])).toEqual(wide)
	expect(native('decimal(3,3)', ['0.123', '-0.001', '0.000', '.123', '1.000'])).toEqual(['0.123', '-0.001', '0.000'])
})

test('a day is native from year 1 to 9999 when it exists', () => {
	const days = ['0001-01-01', '1582-10-10', '1900-02-28', '1969-12-31', '2000-02-29', '9999-12-31']
	const others = ['1900-02-29', '2023-02-29', '2024-13-01', '2024-00-01', '0000-01-01', '10000-01-01', '0044-03-15 BC']
	expect(native('date', [...days, ...others, 'infinity', '2024-1-1', '01/02/2024'])).toEqual(days)
})

test('an instant is native in the spelling of a session in UTC', () => {
	const instants = ['0001-01-01 00:00:00+00', '1969-12-31 23:59:59.999999+00', '2024-02-29 12:00:00.1+00']
	const others = ['2024-01-01 00:00:00.10+00', '2024-01-01 00:00:00+01', '2024-01-01 24:00:00+00', '-infinity']
	const odd = ['2024-01-01 00:00:00', '2024-01-01T00:00:00+00', '0044-03-15 12:00:00+00 BC', '2024-01-01 00:00:00.+00']
	expect(native('timestamp', [...instants, '9999-12-31 23:59:59.999999+00', ...others, ...odd])).toEqual([
		...instants,
		'9999-12-31 23:59:59.999999+00',
	])
})

test('a floating point number is native when its shortest text is the one given', () => {
	const doubles = ['0', '1', '-1.5', '0.0001', '1e-05', '123456789012345', '1e+15', '1.7976931348623157e+308', '5e-324']
	const others = ['NaN', 'Infinity', '-0', '1.0', '0.00001', '1000000000000000', '0.30000000000000004x', '1e15', '']
	expect(native('double', [...doubles, '0.30000000000000004', ...others])).toEqual([...doubles, '0.30000000000000004'])
	const floats = ['0', '0.1', '3.4028235e+38', '123456', '1e+06', '1.2345678e-05', '0.0001', '16777216e0']
	expect(native('float', [...floats, '0.10000000149011612', '1000000', '-0'])).toEqual(floats.slice(0, -1))
})

test('bytes are native in lower-case hex, booleans as single letters', () => {
	expect(native('binary', ['\\x', '\\x00ff', '\\xFF', '\\x0', 'abc', ''])).toEqual(['\\x', '\\x00ff'])
	expect(native('boolean', ['t', 'f', 'true', 'T', ''])).toEqual(['t', 'f'])
})

test('a bound encloses a text that is too long to be one', () => {
	const bounds = (texts: string[]) => {
		const { data } = codecOf('string').encode(cellsOf(texts), 0, texts.length)
		return boundsOf(data, extremesOf(data, { from: 0, to: texts.length, isFull: true }))
	}
	expect(bounds(['b', 'a', 'c'])).toEqual({ min: '"a"', max: '"c"' })
	for (const long of ['x'.repeat(100), `${'é'.repeat(60)}`, `a${'😀'.repeat(40)}`]) {
		const { min = '', max = '' } = bounds([long]) ?? {}
		expect(Buffer.compare(Buffer.from(JSON.parse(min)), Buffer.from(long))).toBeLessThanOrEqual(0)
		expect(Buffer.compare(Buffer.from(JSON.parse(max)), Buffer.from(long))).toBeGreaterThanOrEqual(0)
		expect(Buffer.byteLength(JSON.parse(max))).toBeLessThan(80)
	}
	expect(bounds(['\u{10FFFF}'.repeat(40)])).toBeUndefined()
})

test('bytes that are not UTF-8 are refused, never altered', () => {
	const column = { bytes: Buffer.from([0xff]), offsets: new Uint32Array([0, 1]), present: new Uint8Array([1]) }
	expect(() => codecOf('string').encode(column, 0, 1)).toThrow(expect.objectContaining({ code: 'INVALID' }))
})

test('bytes are native in lower-case hex only, however many they are', () => {
	const long = `\\x${'00ff7a'.repeat(500_000)}`
	const others = [`${long}F0`, `${long}0`, `${long.slice(0, -1)}g`, '\\x0', '\\xAB', 'ab']
	const texts = ['\\x', '\\x00ff', long]
	expect(native('binary', [...texts, ...others])).toEqual(texts)
})
