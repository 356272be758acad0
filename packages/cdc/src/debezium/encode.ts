import type { Begin, Relation } from '../pgoutput/messages.ts'

/** Microseconds between 1970 and PostgreSQL's epoch, 2000-01-01. */
const epochMicros = 946_684_800_000_000n

/** A row's texts in the relation's order; null is NULL, undefined a value that was not sent. */
export type RowTexts = (string | null | undefined)[]

/** The replication protocol's own messages (version 1, text), for changes that came another way. */
export const encode = {
	begin({ position, committedAt, xid }: Begin): Uint8Array {
		return new Writer('B')
			.int64(position)
			.int64(committedAt - epochMicros)
			.int32(xid)
			.bytes()
	},
	commit({ position, end, committedAt }: { position: bigint; end: bigint; committedAt: bigint }): Uint8Array {
		return new Writer('C')
			.text('\0')
			.int64(position)
			.int64(end)
			.int64(committedAt - epochMicros)
			.bytes()
	},
	relation({ oid, schema, name, identity, columns }: Relation): Uint8Array {
		const writer = new Writer('R').int32(oid).text(`${schema}\0${name}\0${identity}`).int16(columns.length)
		for (const { key, name: column, typeOid, typmod } of columns) {
			writer
				.text(`${key ? '\u0001' : '\0'}${column}\0`)
				.int32(typeOid)
				.int32(typmod)
		}
		return writer.bytes()
	},
	insert(oid: number, row: RowTexts): Uint8Array {
		return new Writer('I').int32(oid).text('N').row(row).bytes()
	},
	update(oid: number, before: RowTexts, row: RowTexts): Uint8Array {
		return new Writer('U').int32(oid).text('O').row(before).text('N').row(row).bytes()
	},
	/** `image` as the server marks it: the whole old row, or its key. */
	delete(oid: number, image: 'O' | 'K', before: RowTexts): Uint8Array {
		return new Writer('D').int32(oid).text(image).row(before).bytes()
	},
	truncate(oid: number): Uint8Array {
		return new Writer('T').int32(1).text('\0').int32(oid).bytes()
	},
	/** A transactional message. */
	message({ prefix, content }: { prefix: string; content: Uint8Array }): Uint8Array {
		return new Writer('M').text('\u0001').int64(0n).text(`${prefix}\0`).value(content).bytes()
	},
}

class Writer {
	readonly #parts: Uint8Array[]

	constructor(kind: string) {
		this.#parts = [Buffer.from(kind)]
	}

	bytes(): Uint8Array {
		return Buffer.concat(this.#parts)
	}

	int16(value: number): this {
		const bytes = Buffer.alloc(2)
		bytes.writeInt16BE(value)
		return this.#add(bytes)
	}

	/** Signed or unsigned. */
	int32(value: number): this {
		const bytes = Buffer.alloc(4)
		bytes.writeInt32BE(value | 0)
		return this.#add(bytes)
	}

	int64(value: bigint): this {
		const bytes = Buffer.alloc(8)
		bytes.writeBigInt64BE(value)
		return this.#add(bytes)
	}

	text(text: string): this {
		return this.#add(Buffer.from(text))
	}

	value(bytes: Uint8Array): this {
		return this.int32(bytes.length).#add(bytes)
	}

	row(values: RowTexts): this {
		this.int16(values.length)
		for (const value of values) {
			if (value === null) this.text('n')
			else if (value === undefined) this.text('u')
			else this.text('t').value(Buffer.from(value))
		}
		return this
	}

	#add(bytes: Uint8Array): this {
		this.#parts.push(bytes)
		return this
	}
}
