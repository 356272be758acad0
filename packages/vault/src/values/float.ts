import { asciiText, type Codec, takeEach } from './codec.ts'

/** double precision: whatever formatting the number again would not give back to the byte stays text, -0 and NaN too. */
export const doubleCodec = codec('double', Float64Array, formatDouble)

/** real, under the same rule. */
export const floatCodec = codec('float', Float32Array, formatFloat)

function codec(
	type: 'float' | 'double',
	ArrayType: typeof Float32Array | typeof Float64Array,
	format: (value: number) => string,
): Codec {
	return {
		encode(column, start, end) {
			const data = new ArrayType(end - start)
			const { nullBitmap, nullCount, exact } = takeEach(column, start, end, (from, to, row) => {
				const text = asciiText(column.bytes, from, to)
				data[row] = Number(text)
				const value = data[row] as number
				if (!isPlain(value) || format(value) !== text) return false
				return true
			})
			return { data: { type, nullBitmap, values: data }, nullCount, exact }
		},
		decode: (cell) => format(cell as number),
		json: String,
	}
}

function isPlain(value: number): boolean {
	return Number.isFinite(value) && !Object.is(value, -0)
}

/** PostgreSQL's shortest text of a double: plain digits for exponents -4 to 14, as JavaScript spells these too. */
function formatDouble(value: number): string {
	const size = Math.abs(value)
	return size >= 1e-4 && size < 1e15 ? String(value) : spell(value.toExponential(), 15)
}

/** PostgreSQL's shortest text of a real: plain digits for exponents -4 to 5. Six digits or fewer name one real alone. */
function formatFloat(value: number): string {
	for (let decimals = 5; decimals < 8; decimals++) {
		const text = value.toExponential(decimals)
		if (Math.fround(Number(text)) === value) return spell(text, 6)
	}
	return spell(value.toExponential(8), 6)
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
