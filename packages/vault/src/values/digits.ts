const zero = 48
const minus = 45

/** Decimal digits that a JavaScript number holds exactly, whatever they are. */
const safeDigits = 15

/**
 * A non-negative whole number from a span of ASCII digits: a number where it is exact for any digits, a bigint beyond.
 * NaN when anything else than digits is in it or it is empty.
 */
export function readDigits(bytes: Uint8Array, from: number, to: number): number | bigint {
	if (to <= from) return Number.NaN
	let value = 0
	for (let at = from; at < to; at++) {
		const digit = (bytes[at] as number) - zero
		if (digit < 0 || digit > 9) return Number.NaN
		value = value * 10 + digit
	}
	if (to - from <= safeDigits) return value
	return BigInt(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1'))
}

/** A whole number in PostgreSQL's own spelling: no plus, no leading zero, no minus zero. NaN otherwise. */
export function readInteger(bytes: Uint8Array, from: number, to: number): number | bigint {
	const negative = bytes[from] === minus
	const first = negative ? from + 1 : from
	if (bytes[first] === zero && (to - first > 1 || negative)) return Number.NaN
	const value = readDigits(bytes, first, to)
	return negative ? -value : value
}

/** Writes a whole number as two's complement into `words` 32-bit places from `at`, lowest first. */
export function putWords(target: Uint32Array, at: number, words: number, value: number | bigint): void {
	if (typeof value === 'bigint') {
		for (let word = 0; word < words; word++) target[at + word] = Number(BigInt.asUintN(32, value >> BigInt(word * 32)))
		return
	}
	target[at] = value >>> 0
	const high = Math.floor(value / 0x1_0000_0000)
	target[at + 1] = high >>> 0
	if (words > 2) target.fill(value < 0 ? 0xffff_ffff : 0, at + 2, at + words)
}
