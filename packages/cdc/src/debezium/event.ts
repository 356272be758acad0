import { ReprieveError } from '@reprieve/contracts'
import { type Json, JsonNumber, type JsonObject, parseJson } from './json.ts'

/** One change or message of a transaction, in its place. */
export type DebeziumEvent = {
	op: 'c' | 'u' | 'd' | 't' | 'm'
	xid: number
	/** Place among the events of its transaction, from 1. */
	order: number
	/** Microseconds since 1970: the commit's time. */
	committedAt: bigint
	/** End of the transaction that the connector had seen before; undefined for the first of a connector's life. */
	after: bigint | undefined
	schema: string
	table: string
	before: JsonObject | undefined
	row: JsonObject | undefined
	message: { prefix: string; content: Uint8Array } | undefined
	/** Half of an update of the key: the row did not go. */
	isKeyChange: boolean
	/** The connector's `topic.prefix`. */
	prefix: string
}

/** A message outside of a transaction: it counts for nothing, but the next event names it as what came before. */
export type OutsideMessage = { op: 'outside'; position: bigint; prefix: string }

/** A transaction's end, as the transaction topic has it. */
export type DebeziumEnd = {
	xid: number
	/** Just behind the commit record. */
	end: bigint
	/** Milliseconds since 1970: the commit's time. */
	committedMs: bigint
	events: number
	/** Events by `schema.table`; messages have names of their own. */
	counts: Map<string, number>
}

/**
 * Reads an event of a row topic or of `.message`. Undefined for a tombstone and for a row of a snapshot, in which nothing
 * happened; throws INTERNAL for what is no envelope of Debezium's PostgreSQL connector.
 */
export function readEvent(
	value: Uint8Array | null,
	headers: Readonly<Record<string, unknown>> = {},
): DebeziumEvent | OutsideMessage | undefined {
	const body = readBody(value)
	if (!body) return undefined
	const op = body.get('op')
	const source = body.get('source')
	if (!(source instanceof Map) || source.get('connector') !== 'postgresql') throw foreign('it names no source')
	if (op === 'r') return undefined
	const place = body.get('transaction')
	const prefix = text(source, 'name')
	if (op === 'm' && !(place instanceof Map)) return { op: 'outside', position: integer(source, 'lsn'), prefix }
	if (!isOp(op)) throw foreign(`op is ${String(op)}`)
	if (!(place instanceof Map)) throw foreign('it has no transaction (provide.transaction.metadata must be true)')
	return {
		op,
		xid: Number(integer(source, 'txId')),
		order: Number(integer(place, 'total_order')),
		committedAt: integer(source, 'ts_us'),
		after: previousEnd(source.get('sequence')),
		prefix,
		schema: text(source, 'schema'),
		table: text(source, 'table'),
		before: objectOf(body.get('before')),
		row: objectOf(body.get('after')),
		message: op === 'm' ? messageOf(body.get('message')) : undefined,
		isKeyChange: '__debezium.newkey' in headers || '__debezium.oldkey' in headers,
	}
}

/** Reads a record of the transaction topic; undefined for a BEGIN, which says nothing that END does not. */
export function readEnd(value: Uint8Array | null): DebeziumEnd | undefined {
	const body = readBody(value)
	if (body?.get('status') !== 'END') return undefined
	const match = /^(\d+):(\d+)$/.exec(text(body, 'id'))
	if (!match) throw foreign(`the transaction's id is ${text(body, 'id')}`)
	const collections = body.get('data_collections')
	const counts = new Map<string, number>()
	for (const one of Array.isArray(collections) ? collections : []) {
		if (one instanceof Map) counts.set(text(one, 'data_collection'), Number(integer(one, 'event_count')))
	}
	return {
		xid: Number(match[1]),
		end: BigInt(match[2] as string),
		committedMs: integer(body, 'ts_ms'),
		events: Number(integer(body, 'event_count')),
		counts,
	}
}

/** The envelope, with `schemas.enable` on or off. */
function readBody(value: Uint8Array | null): JsonObject | undefined {
	if (value === null) return undefined
	const json = parseJson(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'))
	if (json === null) return undefined
	const payload = json instanceof Map && json.has('schema') && json.has('payload') ? json.get('payload') : json
	if (payload === null || payload === undefined) return undefined
	if (!(payload instanceof Map)) throw foreign('it is no object')
	return payload
}

function isOp(op: Json | undefined): op is DebeziumEvent['op'] {
	return op === 'c' || op === 'u' || op === 'd' || op === 't' || op === 'm'
}

/** `["<end of the transaction before>","<position of this event>"]`; the first is null in a connector's first one. */
function previousEnd(sequence: Json | undefined): bigint | undefined {
	const parts = typeof sequence === 'string' ? parseJson(sequence) : undefined
	const first = Array.isArray(parts) ? parts[0] : undefined
	return typeof first === 'string' && /^\d+$/.test(first) ? BigInt(first) : undefined
}

function messageOf(message: Json | undefined): DebeziumEvent['message'] {
	if (!(message instanceof Map)) throw foreign('a message without its content')
	return { prefix: text(message, 'prefix'), content: Buffer.from(text(message, 'content'), 'base64') }
}

function objectOf(value: Json | undefined): JsonObject | undefined {
	return value instanceof Map ? value : undefined
}

function integer(object: JsonObject, name: string): bigint {
	const value = object.get(name)
	if (!(value instanceof JsonNumber) || !/^-?\d+$/.test(value.text)) throw foreign(`${name} is no integer`)
	return BigInt(value.text)
}

function text(object: JsonObject, name: string): string {
	const value = object.get(name)
	if (typeof value !== 'string') throw foreign(`${name} is no text`)
	return value
}

function foreign(why: string): ReprieveError {
	return new ReprieveError('INTERNAL', `a record is no event of Debezium's PostgreSQL connector: ${why}`, {
		hint: 'Use the settings that `reprieve debezium config` prints, without transformations of the envelope.',
	})
}
