import { Buffers } from './buffers.ts'
import { decodeRows } from './decode-rows.ts'
import type { Frame, FrameHeader } from './frame.ts'
import { PoisonRecord } from './poison.ts'
import { type OpenRecord, openRecord } from './record.ts'
import { type Line, parseShape, transactionsShape } from './shape.ts'

/** Reads the records of one partition in their order. */
export type FrameReader = {
	/**
	 * The frame that the record completes; undefined when more parts are needed or the part was there already. The
	 * frame's columns are views into the record. A first part drops what was begun: its sender crashed in between.
	 * Throws {@link PoisonRecord}, and nothing else; what was begun before stays begun.
	 */
	read(record: Uint8Array): Frame | undefined
	/** Parts of a frame were read, but not all. */
	readonly isPartial: boolean
	/** Forgets them. */
	reset(): void
}

type Begun = { line: Line; taken: number; bytes: number; bodies: Uint8Array[] }

export function createFrameReader({ key }: { key: Uint8Array }): FrameReader {
	let partial: Begun | undefined
	let complete: string | undefined

	function read(record: Uint8Array): Frame | undefined {
		const { line, body } = openRecord(record, key)
		if (isRepeated(line)) return undefined
		if (line.part === 1) complete = undefined
		const joined = line.part === 1 ? begin({ line, body }) : join(partial, { line, body })
		partial = joined.taken < line.parts ? joined : undefined
		if (partial) return undefined
		const frame = decodeFrame(joined)
		complete = line.frame
		return frame
	}

	/** The broker may have what it acknowledged late twice. */
	function isRepeated({ frame, part }: Line): boolean {
		if (part === 1) return false
		return frame === complete || (frame === partial?.line.frame && part <= partial.taken)
	}

	return {
		read,
		get isPartial() {
			return partial !== undefined
		},
		reset() {
			partial = undefined
			complete = undefined
		},
	}
}

function begin({ line, body }: OpenRecord): Begun {
	return checked({ line, taken: 1, bytes: body.length, bodies: [body] })
}

function join(partial: Begun | undefined, { line, body }: OpenRecord): Begun {
	if (partial?.line.frame !== line.frame)
		throw new PoisonRecord('orphan', `part ${line.part} of ${line.parts} of a frame whose part 1 was not read`)
	if (line.part !== partial.taken + 1)
		throw new PoisonRecord('parts', `part ${line.part} of ${line.parts} follows part ${partial.taken}`)
	if (!isOfOneFrame(line, partial.line))
		throw new PoisonRecord('parts', `part ${line.part} of ${line.parts} says otherwise than part 1 of its frame`)
	return checked({ line, taken: line.part, bytes: partial.bytes + body.length, bodies: [...partial.bodies, body] })
}

/** Bytes are held only as they come, never as many as a line promises. */
function checked(partial: Begun): Begun {
	const { line, bytes } = partial
	const isWhole = line.part === line.parts
	if (bytes > line.payload || (isWhole && bytes < line.payload))
		throw new PoisonRecord('lengths', `${line.part} parts have ${bytes} bytes, the line says ${line.payload} in all`)
	return partial
}

function isOfOneFrame(line: Line, other: Line): boolean {
	return headerText(line) === headerText(other)
}

function headerText({ body, part, ...line }: Line): string {
	return JSON.stringify({ ...line, predecessor: [String(line.predecessor.position), line.predecessor.ordinal] })
}

function decodeFrame({ line, bodies }: Begun): Frame {
	const payload = bodies.length === 1 ? (bodies[0] as Uint8Array) : Buffer.concat(bodies)
	const header = headerOf(line)
	if (line.kind === 'rows') return { kind: 'rows', header, ...decodeRows(payload) }
	const buffers = new Buffers(payload)
	const said = parseShape(transactionsShape, buffers.line(), 'the list of transactions')
	buffers.close()
	return { kind: 'transactions', header, ...said }
}

function headerOf(line: Line): FrameHeader {
	const { database, lineage, epoch, session, topic, partition, predecessor, isUrgent } = line
	return { database, lineage, epoch, session, topic, partition, predecessor, isUrgent }
}
