import type { WireForm, WireType } from '@reprieve/contracts'
import { typeVerdict } from '@reprieve/contracts'
import { dateText, timestampText, timestamptzText, timeText, timetzText } from './instant.ts'
import { type Json, JsonNumber, parseJson } from './json.ts'
import { float4Text, float8Text, plainDecimal } from './number.ts'

/** A value that cannot be had back from what Debezium sent. */
export class Loss {
	readonly reason: string

	constructor(reason: string) {
		this.reason = reason
	}
}

/**
 * PostgreSQL's own text of a value as Debezium wrote it under `connectorSettings`; null is NULL. A {@link Loss} where
 * that is not certain: never a guess.
 */
export function valueText(value: Json, type: WireType): string | null | Loss {
	const verdict = typeVerdict(type)
	if (verdict.form === undefined) return new Loss(verdict.reason)
	if (value === null) return null
	const text = readers[verdict.form](value, type)
	return text ?? new Loss(`what arrived is no ${type.name} as the required settings write it`)
}

type Reader = (value: Json, type: WireType) => string | undefined

const readers: Readonly<Record<WireForm, Reader>> = {
	boolean: (value) => (typeof value === 'boolean' ? (value ? 't' : 'f') : undefined),
	integer: (value) => (value instanceof JsonNumber && /^-?\d+$/.test(value.text) ? value.text : undefined),
	float4: (value) => (isFloat(value) ? float4Text(textOf(value)) : undefined),
	float8: (value) => (isFloat(value) ? float8Text(textOf(value)) : undefined),
	numeric: numericText,
	text: (value) => (typeof value === 'string' ? value : undefined),
	bytes: (value) => hexOf(value),
	bits: bitsText,
	date: dateText,
	time: timeText,
	timetz: timetzText,
	timestamp: timestampText,
	timestamptz: timestamptzText,
	hstore: hstoreText,
	opaque: (value) => bytesOf(value)?.toString('utf8'),
}

const specialNumbers: Readonly<Record<string, string>> = {
	NAN: 'NaN',
	POSITIVE_INFINITY: 'Infinity',
	NEGATIVE_INFINITY: '-Infinity',
}

function numericText(value: Json): string | undefined {
	return typeof value === 'string' ? (specialNumbers[value] ?? plainDecimal(value)) : undefined
}

function isFloat(value: Json): value is JsonNumber | string {
	return value instanceof JsonNumber || value === 'NaN' || value === 'Infinity' || value === '-Infinity'
}

function textOf(value: JsonNumber | string): string {
	return typeof value === 'string' ? value : value.text
}

function hexOf(value: Json): string | undefined {
	const bytes = bytesOf(value)
	return bytes && `\\x${bytes.toString('hex')}`
}

function bytesOf(value: Json): Buffer | undefined {
	if (typeof value !== 'string') return undefined
	const bytes = Buffer.from(value, 'base64')
	return bytes.toString('base64') === value ? bytes : undefined
}

/** One bit is a boolean; more are bytes with the last bit first, without trailing zero bytes. */
function bitsText(value: Json, { typmod }: WireType): string | undefined {
	if (typmod === 1) return typeof value === 'boolean' ? (value ? '1' : '0') : undefined
	const bytes = bytesOf(value)
	if (!bytes || typmod < 1 || bytes.length > Math.ceil(typmod / 8)) return undefined
	const isSet = (bit: number) => (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1
	return Array.from({ length: typmod }, (_, place) => (isSet(typmod - 1 - place) ? '1' : '0')).join('')
}

function hstoreText(value: Json): string | undefined {
	const pairs = typeof value === 'string' ? parseJson(value) : undefined
	if (!(pairs instanceof Map)) return undefined
	const entries = [...pairs].map(([key, inner]) => ({ key, bytes: Buffer.from(key), inner }))
	if (entries.some(({ inner }) => inner !== null && typeof inner !== 'string')) return undefined
	return entries
		.toSorted((a, b) => a.bytes.length - b.bytes.length || a.bytes.compare(b.bytes))
		.map(({ key, inner }) => `${quoted(key)}=>${inner === null ? 'NULL' : quoted(inner as string)}`)
		.join(', ')
}

function quoted(text: string): string {
	return `"${text.replace(/["\\]/g, '\\$&')}"`
}
