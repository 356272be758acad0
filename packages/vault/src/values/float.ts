import { Float32, Float64, makeData } from 'apache-arrow'
import { asciiText, type Codec, takeEach } from './codec.ts'

/** double precision: whatever formatting the number again would not give back to the byte stays text, -0 and NaN too. */
export const doubleCodec: Codec = {
	arrow: new Float64(),
	encode(column, start, end) {
		const data = new Float64Array(end - start)
		const taken = takeEach(column, start, end, (from, to, row) => {
			const text = asciiText(column.bytes, from, to)
			const value = Number(text)
			if (!isPlain(value) || formatDouble(value) !== text) return false
			data[row] = value
			return true
		})
		const { nullBitmap, nullCount, exact } = taken
		const type = new Float64()
		return { data: makeData({ type, length: end - start, nullCount, nullBitmap, data }), nullCount, exact }
	},
	decode: (cell) => formatDouble(cell as number),
}

/** real, under the same rule. */
export const floatCodec: Codec = {
	arrow: new Float32(),
	encode(column, start, end) {
		const data = new Float32Array(end - start)
		const taken = takeEach(column, start, end, (from, to, row) => {
			const text = asciiText(column.bytes, from, to)
			const value = Math.fround(Number(text))
			if (!isPlain(value) || formatFloat(value) !== text) return false
			data[row] = value
			return true
		})
		const { nullBitmap, nullCount, exact } = taken
		const type = new Float32()
		return { data: makeData({ type, length: end - start, nullCount, nullBitmap, data }), nullCount, exact }
	},
	decode: (cell) => formatFloat(cell as number),
}

function isPlain(value: number): boolean {
	return Number.isFinite(value) && !Object.is(value, -0)
}

/** PostgreSQL's shortest text of a double: plain digits for exponents -4 to 14. */
function formatDouble(value: number): string {
	return spell(value.toExponential(), 15)
}

/** PostgreSQL's shortest text of a real: plain digits for exponents -4 to 5. */
function formatFloat(value: number): string {
	for (let digits = 0; digits < 9; digits++) {
		const text = value.toExponential(digits)
		if (Math.fround(Number(text)) === value) return spell(text, 6)
	}
	return spell(value.toExponential(), 6)
}

function spell(exponential: string, plainBelow: number): string {
	const [mantissa = '', power = ''] = exponential.split('e')
	const exponent = Number(power)
	const sign = mantissa.startsWith('-') ? '-' : ''
	const digits = mantissa.replace(/[-.]/g, '').replace(/(?<=.)0+$/, '')
	if (exponent < -4 || exponent >= plainBelow) {
		const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
		const padded = Math.abs(exponent).toString().padStart(2, '0')
		return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${padded}`
	}
	if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
	if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, '0')
	return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
}
