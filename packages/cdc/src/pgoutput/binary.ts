import { ReprieveError } from '@reprieve/contracts'
import { malformed } from './messages.ts'
import { MessageReader } from './reader.ts'

/** A value in its type's binary form: bytes[start .. start + length] of its message. */
export type BinaryValue = { column: number; start: number; length: number }

/** An insert, update or delete: the binary values of each of its rows, old before new. */
export type BinaryRows = { relation: number; rows: BinaryValue[][] }

/** Text that takes a binary value's place. */
export type ValueText = { length: number; write(target: Buffer, at: number): void }

const letter = (text: string) => text.charCodeAt(0)
const rowKinds = new Set([...'IUD'].map(letter))
const [nullKind, unchangedKind, textKind, binaryKind] = [...'nutb'].map(letter)
/** What stands before a value: its kind and its length. */
const headBytes = 5
/** Places in a row are 32 bits, signed. */
const longestMessage = 2 ** 31 - 1

/** What a message of pgoutput's `binary` option has in binary; undefined for one that carries no row. */
export function findBinary(message: Uint8Array): BinaryRows | undefined {
	if (!rowKinds.has(message[0] as number)) return undefined
	const reader = new MessageReader()
	reader.open(message)
	reader.byte('message')
	const relation = reader.uint32('row')
	const rows: BinaryValue[][] = []
	while (reader.at < message.length) {
		reader.byte('row')
		rows.push(readRow(reader))
	}
	return { relation, rows }
}

function readRow(reader: MessageReader): BinaryValue[] {
	const values: BinaryValue[] = []
	const count = reader.int16('row')
	for (let column = 0; column < count; column++) {
		const kind = reader.byte('value')
		if (kind === nullKind || kind === unchangedKind) continue
		if (kind !== textKind && kind !== binaryKind) throw malformed(`a value of kind ${kind}`)
		const length = reader.int32('value')
		const start = reader.take(length, 'value')
		if (kind === binaryKind) values.push({ column, start, length })
	}
	return values
}

/** The same message with texts in place of binary values, which are in the order of the message. Throws LIMIT_EXCEEDED above 2 GiB. */
export function replaceBinary(
	message: Uint8Array,
	values: readonly BinaryValue[],
	texts: readonly ValueText[],
): Buffer {
	const grown = values.reduce((sum, { length }, at) => sum + (texts[at] as ValueText).length - length, 0)
	const size = message.length + grown
	if (size > longestMessage) {
		throw new ReprieveError('LIMIT_EXCEEDED', `a row has ${size} bytes of text, at most ${longestMessage} can be read`)
	}
	const result = Buffer.allocUnsafeSlow(size)
	let from = 0
	let at = 0
	const copy = (to: number) => {
		result.set(message.subarray(from, to), at)
		at += to - from
	}
	for (const [place, value] of values.entries()) {
		const text = texts[place] as ValueText
		copy(value.start - headBytes)
		result[at] = textKind as number
		result.writeInt32BE(text.length, at + 1)
		at += headBytes
		text.write(result, at)
		at += text.length
		from = value.start + value.length
	}
	copy(message.length)
	return result
}
