import { type Codec, takeEach } from './codec.ts'
import { putWords, readDigits } from './digits.ts'
import { decimalWords } from './native.ts'

const zero = 48
const minus = 45
const point = 46

/** numeric(precision, scale) with 0 <= scale <= precision <= 38; NaN and anything oddly spelled stays text. */
export function decimalCodec(precision: number, scale: number): Codec {
	const type = `decimal(${precision},${scale})` as const
	return {
		encode(column, start, end) {
			const data = new Uint32Array((end - start) * decimalWords)
			const digits = new Uint8Array(precision)
			const { nullBitmap, nullCount, exact } = takeEach(column, start, end, (from, to, row) => {
				const value = readUnscaled(column.bytes, from, to, digits, scale)
				if (Number.isNaN(value)) return false
				putWords(data, row * decimalWords, decimalWords, value)
				return true
			})
			return { data: { type, nullBitmap, values: data }, nullCount, exact }
		},
		decode: (cell) => formatUnscaled(unscaledOf(cell), scale),
		json: (cell) => formatUnscaled(unscaledOf(cell), scale),
	}
}

/** The unscaled number of `[-]d+[.d{scale}]` in the one spelling that PostgreSQL uses, else NaN. */
function readUnscaled(bytes: Uint8Array, from: number, to: number, digits: Uint8Array, scale: number): number | bigint {
	const negative = bytes[from] === minus
	const first = negative ? from + 1 : from
	const whole = scale === 0 ? to : to - scale - 1
	if (whole <= first || (scale > 0 && bytes[whole] !== point)) return Number.NaN
	const leadingZero = bytes[first] === zero
	if (leadingZero && whole - first > 1) return Number.NaN
	const from0 = leadingZero ? whole : first
	const count = whole - from0 + scale
	if (count > digits.length) return Number.NaN
	digits.set(bytes.subarray(from0, whole))
	if (scale > 0) digits.set(bytes.subarray(whole + 1, to), whole - from0)
	const value = count === 0 ? 0 : readDigits(digits, 0, count)
	const isZero = value === 0 || value === 0n
	if (negative && isZero) return Number.NaN
	return negative ? -value : value
}

function formatUnscaled(unscaled: bigint, scale: number): string {
	const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
	const sign = unscaled < 0n ? '-' : ''
	if (scale === 0) return sign + digits
	return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** Parquet holds decimals as INT32, INT64 or big-endian bytes, by precision. */
function unscaledOf(cell: unknown): bigint {
	if (!(cell instanceof Uint8Array)) return BigInt(cell as number | bigint)
	let value = 0n
	for (const byte of cell) value = (value << 8n) | BigInt(byte)
	return BigInt.asIntN(cell.length * 8, value)
}
