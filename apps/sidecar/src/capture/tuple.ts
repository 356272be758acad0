import { nullLength, type Tuple, unchangedLength } from '@reprieve/cdc'

/** The text of one value; null for NULL. */
export function textAt(tuple: Tuple, place: number): string | null {
	const length = tuple.length[place] as number
	if (length < 0) return null
	return bytesAt(tuple, place).toString('utf8')
}

/** A value's bytes as a view. */
function bytesAt(tuple: Tuple, place: number): Buffer {
	const start = tuple.start[place] as number
	const { buffer, byteOffset } = tuple.bytes
	return Buffer.from(buffer, byteOffset + start, tuple.length[place] as number)
}

export function isNullAt(tuple: Tuple, place: number): boolean {
	return tuple.length[place] === nullLength
}

/** Whether two rows have the same value in one place; one that was not sent is unchanged. */
export function isSameAt(old: Tuple, oldPlace: number, row: Tuple, place: number): boolean {
	const length = row.length[place] as number
	if (length === unchangedLength) return true
	if (length !== old.length[oldPlace]) return false
	return length < 0 || bytesAt(old, oldPlace).equals(bytesAt(row, place))
}

/**
 * A string that two rows share only when their values in these places are byte for byte the same; undefined when one
 * of them is NULL, since NULL references nothing.
 */
export function keyOf(tuple: Tuple, places: readonly number[]): string | undefined {
	let key = ''
	for (const place of places) {
		const length = tuple.length[place] ?? nullLength
		if (length < 0) return undefined
		key += `${length}:${bytesAt(tuple, place).toString('latin1')}`
	}
	return key
}
