import { malformed } from './messages.ts'

/** Microseconds between 1970 and PostgreSQL's epoch, 2000-01-01. */
const epochMicros = 946_684_800_000_000n

/** A bounds-checked cursor over one message. Every read beyond the end throws instead of giving made-up bytes. */
export class MessageReader {
	bytes: Buffer = Buffer.alloc(0)
	at = 0

	open(bytes: Uint8Array): void {
		this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
		this.at = 0
	}

	/** Claims `count` bytes and answers where they begin. */
	take(count: number, what: string): number {
		const left = this.bytes.length - this.at
		if (count < 0 || count > left) throw malformed(`${what} needs ${count} bytes, ${left} are left`)
		const start = this.at
		this.at += count
		return start
	}

	byte(what: string): number {
		return this.bytes[this.take(1, what)] as number
	}

	int16(what: string): number {
		return this.bytes.readInt16BE(this.take(2, what))
	}

	int32(what: string): number {
		return this.bytes.readInt32BE(this.take(4, what))
	}

	uint32(what: string): number {
		return this.bytes.readUInt32BE(this.take(4, what))
	}

	lsn(what: string): bigint {
		return this.bytes.readBigUInt64BE(this.take(8, what))
	}

	/** Microseconds since 1970. */
	instant(what: string): bigint {
		return this.bytes.readBigInt64BE(this.take(8, what)) + epochMicros
	}

	/** A zero-terminated string. */
	text(what: string): string {
		const end = this.bytes.indexOf(0, this.at)
		if (end < 0) throw malformed(`${what} has no end`)
		const text = this.bytes.toString('utf8', this.at, end)
		this.at = end + 1
		return text
	}

	close(what: string): void {
		const left = this.bytes.length - this.at
		if (left > 0) throw malformed(`${what} has ${left} bytes too many`)
	}
}
