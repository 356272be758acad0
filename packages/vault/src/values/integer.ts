import { type Codec, takeEach } from './codec.ts'
import { putWords, readInteger } from './digits.ts'

/** smallint. */
export const shortCodec = narrow('short', 0x7fff)

/** integer. */
export const integerCodec = narrow('integer', 0x7fff_ffff)

const maxLong = 2n ** 63n - 1n

/** bigint. */
export const longCodec: Codec = {
	encode(column, start, end) {
		const data = new BigInt64Array(end - start)
		const words = new Uint32Array(data.buffer)
		const { nullBitmap, nullCount, exact } = takeEach(column, start, end, (from, to, row) => {
			const value = readInteger(column.bytes, from, to)
			if (Number.isNaN(value) || value > maxLong || value < -maxLong - 1n) return false
			putWords(words, row * 2, 2, value)
			return true
		})
		return { data: { type: 'long', nullBitmap, values: data }, nullCount, exact }
	},
	decode: String,
	json: String,
}

function narrow(type: 'short' | 'integer', limit: number): Codec {
	return {
		encode(column, start, end) {
			const data = new Int32Array(end - start)
			const { nullBitmap, nullCount, exact } = takeEach(column, start, end, (from, to, row) => {
				const value = Number(readInteger(column.bytes, from, to))
				if (!(value <= limit && value >= -limit - 1)) return false
				data[row] = value
				return true
			})
			return { data: { type, nullBitmap, values: data }, nullCount, exact }
		},
		decode: String,
		json: String,
	}
}
