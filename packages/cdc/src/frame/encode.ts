import { randomUUID } from 'node:crypto'
import { encodeRows } from './encode-rows.ts'
import type { Frame, TransactionsFrame } from './frame.ts'
import { format, sign, signatureBytes, version } from './record.ts'
import { formatLine, type Line } from './shape.ts'

export type EncodeOptions = {
	/** HMAC key of the frames. */
	key: Uint8Array
	/** Most bytes of a record, all included; at least some hundreds more than the names in the header take. */
	maxRecordBytes: number
	/** Id that binds a frame's parts together; never the same for two frames (random). */
	id?: string
}

/**
 * The records that carry a frame, to be sent one behind the other to its partition. Compression is the broker's
 * business. Throws a RangeError where `maxRecordBytes` has no room besides the header.
 */
export function encodeFrame(frame: Frame, options: EncodeOptions): Uint8Array[] {
	const { key, maxRecordBytes, id = randomUUID() } = options
	const pieces = frame.kind === 'rows' ? encodeRows(frame) : [encodeTransactions(frame)]
	const payload = pieces.reduce((sum, piece) => sum + piece.length, 0)
	const capacity = capacityOf(frame, { maxRecordBytes, id, payload })
	const parts = Math.ceil(payload / capacity)
	const source = { pieces, piece: 0, at: 0 }
	return Array.from({ length: parts }, (_, at) => {
		const body = Math.min(capacity, payload - at * capacity)
		const line = formatLine(lineOf(frame, { body, frame: id, part: at + 1, parts, payload }))
		const record = Buffer.allocUnsafeSlow(line.length + body + signatureBytes)
		record.set(line)
		fill(record.subarray(line.length, line.length + body), source)
		sign(record, key)
		return record
	})
}

function encodeTransactions({ received, isFinal, transactions }: TransactionsFrame): Uint8Array {
	return formatLine({ received, isFinal, transactions })
}

/** Bytes of payload that fit beside the longest line that a part of the frame can have. */
function capacityOf(frame: Frame, options: { maxRecordBytes: number; id: string; payload: number }): number {
	const { maxRecordBytes, id, payload } = options
	const line = formatLine(lineOf(frame, { body: payload, frame: id, part: payload, parts: payload, payload }))
	const capacity = maxRecordBytes - line.length - signatureBytes
	if (capacity >= 1) return capacity
	throw new RangeError(`a record of ${maxRecordBytes} bytes has no room: its header takes ${maxRecordBytes - capacity}`)
}

function lineOf(frame: Frame, part: Pick<Line, 'body' | 'frame' | 'part' | 'parts' | 'payload'>): Line {
	const { database, lineage, epoch, session, topic, partition, predecessor, isUrgent } = frame.header
	return {
		format,
		version,
		...part,
		kind: frame.kind,
		database,
		lineage,
		epoch,
		session,
		topic,
		partition,
		predecessor: { position: predecessor.position, ordinal: predecessor.ordinal },
		isUrgent,
	}
}

/** Fills a body from where the body before it ended. */
function fill(body: Uint8Array, source: { pieces: Uint8Array[]; piece: number; at: number }): void {
	for (let filled = 0; filled < body.length; ) {
		const piece = source.pieces[source.piece] as Uint8Array
		const taken = piece.subarray(source.at, source.at + body.length - filled)
		body.set(taken, filled)
		filled += taken.length
		source.at += taken.length
		if (source.at < piece.length) continue
		source.piece++
		source.at = 0
	}
}
