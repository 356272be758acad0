import { createHmac, timingSafeEqual } from 'node:crypto'
import { PoisonRecord } from './poison.ts'
import { type Line, lineShape, parseShape } from './shape.ts'

/** How the first line begins; `body` stands third so that a cut record can be told from a changed one. */
export const format = 'reprieve.frame'
export const version = 1
export const signatureBytes = 32

const start = `{"format":"${format}","version":`
const newline = 10

/** A record whose signature holds. */
export type OpenRecord = { line: Line; body: Uint8Array }

/** Puts the signature over everything before it into the record's last bytes. */
export function sign(record: Uint8Array, key: Uint8Array): void {
	record.set(signatureOf(record, key), record.length - signatureBytes)
}

/** Verifies and opens a record; the body is a view. Nothing else of it is believed before. Throws PoisonRecord. */
export function openRecord(record: Uint8Array, key: Uint8Array): OpenRecord {
	checkStart(record)
	checkSignature(record, key)
	const lineEnd = record.indexOf(newline)
	const line = parseShape(lineShape, record.subarray(0, lineEnd), 'the first line')
	const body = record.subarray(lineEnd + 1, record.length - signatureBytes)
	if (line.body !== body.length)
		throw new PoisonRecord('lengths', `the line says a body of ${line.body} bytes, the record has ${body.length}`)
	return { line, body }
}

function checkStart(record: Uint8Array): void {
	const text = textOf(record.subarray(0, start.length + 16))
	if (!text.startsWith(start)) {
		if (start.startsWith(text))
			throw new PoisonRecord('truncated', `${record.length} bytes are no record; a frame's has a line and a signature`)
		throw new PoisonRecord('notAFrame', `the record does not begin with ${start}`)
	}
	const other = /^\d+(?=,)/.exec(text.slice(start.length))?.[0]
	if (other !== undefined && other !== String(version))
		throw new PoisonRecord('version', `the record is of version ${other}, I read ${version}`)
}

function checkSignature(record: Uint8Array, key: Uint8Array): void {
	if (record.length < start.length + signatureBytes)
		throw new PoisonRecord('truncated', `${record.length} bytes are no record; a frame's has a line and a signature`)
	const signature = record.subarray(record.length - signatureBytes)
	if (!timingSafeEqual(signature, signatureOf(record, key))) throw unsigned(record)
}

/** Looks at a record that nobody vouches for, only to say whether it was cut. */
function unsigned(record: Uint8Array): PoisonRecord {
	const lineEnd = record.indexOf(newline)
	const body = /"version":\d+,"body":(\d{1,15}),/.exec(textOf(record.subarray(0, start.length + 40)))?.[1]
	const length = lineEnd + 1 + Number(body) + signatureBytes
	if (lineEnd < 0 || record.length < length)
		return new PoisonRecord('truncated', `the record has ${record.length} bytes of ${lineEnd < 0 ? 'more' : length}`)
	return new PoisonRecord('signature', 'the signature does not hold: the record was changed, or has another key')
}

function signatureOf(record: Uint8Array, key: Uint8Array): Buffer {
	return createHmac('sha256', key)
		.update(record.subarray(0, record.length - signatureBytes))
		.digest()
}

function textOf(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
