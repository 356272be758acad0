import {
	type Begin,
	type Commit,
	type LogicalMessage,
	malformed,
	nullLength,
	type OldImage,
	type PgoutputHandler,
	type Relation,
	type Tuple,
	unchangedLength,
} from './messages.ts'
import { MessageReader } from './reader.ts'

const letter = (text: string) => text.charCodeAt(0)
const [B, C, O, R, Y, I, U, D, T, M] = [...'BCORYIUDTM'].map(letter)
const [N, K] = [...'NK'].map(letter)
const [nullKind, unchangedKind, textKind] = [...'nut'].map(letter)

/**
 * Makes a decoder of pgoutput messages (protocol 1, text values): one call per message, callbacks in order. It holds
 * no state between messages. Throws INTERNAL on bytes that break the protocol, before any callback of that message.
 */
export function createDecoder(handler: PgoutputHandler): (message: Uint8Array) => void {
	const reader = new MessageReader()
	const old = emptyTuple()
	const row = emptyTuple()

	function readInsert(): void {
		const relation = reader.uint32('insert')
		if (reader.byte('insert') !== N) throw malformed('an insert without its new row')
		readTuple(reader, row)
		reader.close('insert')
		handler.insert(relation, row)
	}

	function readUpdate(): void {
		const relation = reader.uint32('update')
		let kind = reader.byte('update')
		const image = oldImage(kind)
		old.count = 0
		if (image) {
			readTuple(reader, old)
			kind = reader.byte('update')
		}
		if (kind !== N) throw malformed(`an update with the part ${kind} where its new row belongs`)
		readTuple(reader, row)
		reader.close('update')
		handler.update(relation, image, old, row)
	}

	function readDelete(): void {
		const relation = reader.uint32('delete')
		const image = oldImage(reader.byte('delete'))
		if (!image) throw malformed('a delete without its old row')
		readTuple(reader, old)
		reader.close('delete')
		handler.delete(relation, image, old)
	}

	return function decode(message) {
		reader.open(message)
		const kind = reader.byte('message')
		if (kind === D) return readDelete()
		if (kind === I) return readInsert()
		if (kind === U) return readUpdate()
		decodeRare(kind, reader, handler)
	}
}

function decodeRare(kind: number, reader: MessageReader, handler: PgoutputHandler): void {
	if (kind === B) handler.begin(readBegin(reader))
	else if (kind === C) handler.commit(readCommit(reader))
	else if (kind === R) handler.relation(readRelation(reader))
	else if (kind === T) handler.truncate(readTruncate(reader))
	else if (kind === M) handler.message(readLogicalMessage(reader))
	else if (kind !== Y && kind !== O) throw malformed(`unknown kind ${kind}`)
}

function readBegin(reader: MessageReader): Begin {
	const position = reader.lsn('begin')
	const committedAt = reader.instant('begin')
	const xid = reader.uint32('begin')
	reader.close('begin')
	return { position, committedAt, xid }
}

function readCommit(reader: MessageReader): Commit {
	reader.byte('commit')
	const position = reader.lsn('commit')
	const end = reader.lsn('commit')
	const committedAt = reader.instant('commit')
	reader.close('commit')
	return { position, end, committedAt }
}

function readRelation(reader: MessageReader): Relation {
	const oid = reader.uint32('relation')
	const schema = reader.text('relation') || 'pg_catalog'
	const name = reader.text('relation')
	const identity = String.fromCharCode(reader.byte('relation'))
	const count = reader.int16('relation')
	if (count < 0) throw malformed(`a relation of ${count} columns`)
	const columns = Array.from({ length: count }, () => ({
		key: (reader.byte('column') & 1) === 1,
		name: reader.text('column'),
		typeOid: reader.uint32('column'),
		typmod: reader.int32('column'),
	}))
	reader.close('relation')
	return { oid, schema, name, identity, columns }
}

function readTruncate(reader: MessageReader): number[] {
	const count = reader.int32('truncate')
	reader.byte('truncate')
	const start = reader.take(count * 4, 'truncate')
	reader.close('truncate')
	return Array.from({ length: count }, (_, place) => reader.bytes.readUInt32BE(start + place * 4))
}

function readLogicalMessage(reader: MessageReader): LogicalMessage {
	const transactional = (reader.byte('message') & 1) === 1
	const position = reader.lsn('message')
	const prefix = reader.text('message')
	const length = reader.int32('message')
	const start = reader.take(length, 'message')
	reader.close('message')
	return { transactional, position, prefix, content: reader.bytes.subarray(start, start + length) }
}

function oldImage(kind: number): OldImage | undefined {
	if (kind === O) return 'O'
	return kind === K ? 'K' : undefined
}

function readTuple(reader: MessageReader, tuple: Tuple): void {
	const count = reader.int16('row')
	if (count < 0) throw malformed(`a row of ${count} columns`)
	if (count > tuple.start.length) {
		tuple.start = new Int32Array(count)
		tuple.length = new Int32Array(count)
	}
	tuple.bytes = reader.bytes
	tuple.count = count
	for (let place = 0; place < count; place++) readValue(reader, tuple, place)
}

function readValue(reader: MessageReader, tuple: Tuple, place: number): void {
	const kind = reader.byte('value')
	tuple.start[place] = reader.at
	if (kind === textKind) {
		const length = reader.int32('value')
		tuple.start[place] = reader.take(length, 'value')
		tuple.length[place] = length
	} else if (kind === nullKind) tuple.length[place] = nullLength
	else if (kind === unchangedKind) tuple.length[place] = unchangedLength
	else throw malformed(`a value of kind ${kind}`)
}

function emptyTuple(): Tuple {
	return { bytes: new Uint8Array(0), count: 0, start: new Int32Array(64), length: new Int32Array(64) }
}
