import { ReprieveError } from '@reprieve/contracts'

/** One message of the replication protocol: log data, or a keepalive. */
export type StreamFrame =
	| { kind: 'data'; position: bigint; payload: Uint8Array }
	| { kind: 'keepalive'; walEnd: bigint; replyRequested: boolean }

const dataKind = 0x77
const keepaliveKind = 0x6b
const statusKind = 0x72
const dataHeader = 25
const keepaliveLength = 18
/** Milliseconds between 1970 and PostgreSQL's epoch. */
const epochMs = 946_684_800_000

/** Reads a CopyData payload of START_REPLICATION. Throws INTERNAL on anything else. */
export function readFrame(bytes: Buffer): StreamFrame {
	if (bytes[0] === dataKind && bytes.length >= dataHeader) {
		return { kind: 'data', position: bytes.readBigUInt64BE(1), payload: bytes.subarray(dataHeader) }
	}
	if (bytes[0] === keepaliveKind && bytes.length >= keepaliveLength) {
		return { kind: 'keepalive', walEnd: bytes.readBigUInt64BE(1), replyRequested: bytes[17] === 1 }
	}
	throw new ReprieveError('INTERNAL', `the replication stream sent a frame of kind ${bytes[0]}, ${bytes.length} bytes`)
}

/**
 * A standby status update. `flushed` is what the server may forget; `received` is only for its statistics and never
 * below it. A wanted reply is a keepalive, sent at once.
 */
export function statusUpdate(
	received: bigint,
	flushed: bigint,
	asks: { nowMs: number; isReplyWanted: boolean },
): Buffer {
	const status = Buffer.alloc(34)
	status[0] = statusKind
	status.writeBigUInt64BE(received > flushed ? received : flushed, 1)
	status.writeBigUInt64BE(flushed, 9)
	status.writeBigUInt64BE(flushed, 17)
	status.writeBigInt64BE(BigInt(asks.nowMs - epochMs) * 1000n, 25)
	status[33] = asks.isReplyWanted ? 1 : 0
	return status
}
