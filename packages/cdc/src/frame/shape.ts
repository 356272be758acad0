import type { SourceTable } from '@reprieve/contracts'
import { z } from 'zod'
import type { FrameShare, Place, SentTransaction } from './frame.ts'
import { PoisonRecord } from './poison.ts'

const count = z.int().min(0)
const uint32 = z.int().min(0).max(0xffffffff)
const uint64 = decimal(/^(?:0|[1-9]\d{0,19})$/, 0n, 2n ** 64n - 1n)
const int64 = decimal(/^(?:0|-?[1-9]\d{0,18})$/, -(2n ** 63n), 2n ** 63n - 1n)
const place: z.ZodType<Place> = z.strictObject({ position: uint64, ordinal: uint32 })

/** The first line of a record. */
export const lineShape = z.strictObject({
	format: z.string(),
	version: count,
	/** Bytes between this line and the signature. */
	body: count,
	/** Random id of the frame, in each of its parts. */
	frame: z.string(),
	/** From 1. */
	part: z.int().min(1),
	parts: z.int().min(1),
	/** Bytes of the bodies of all parts together. */
	payload: count,
	kind: z.enum(['rows', 'transactions']),
	database: z.string(),
	lineage: z.string(),
	epoch: count,
	session: z.string(),
	topic: z.string(),
	partition: count,
	predecessor: place,
	isUrgent: z.boolean(),
})
export type Line = z.infer<typeof lineShape>

const sourceColumn = z.strictObject({
	attnum: z.int(),
	name: z.string(),
	typeOid: uint32,
	typmod: z.int(),
	typeName: z.string(),
	typeKind: z.string(),
	notNull: z.boolean(),
	generated: z.enum(['', 's', 'v']),
	identity: z.enum(['', 'a', 'd']),
	default: z.string().optional(),
})

const foreignKey = z.strictObject({
	name: z.string(),
	oid: uint32,
	columns: z.array(z.string()),
	references: z.strictObject({ oid: uint32, schema: z.string(), name: z.string(), columns: z.array(z.string()) }),
	onDelete: z.enum(['noAction', 'restrict', 'cascade', 'setNull', 'setDefault']),
	onDeleteColumns: z.array(z.string()),
	deferrable: z.boolean(),
	validated: z.boolean(),
})

const sourceTable: z.ZodType<SourceTable> = z.strictObject({
	oid: uint32,
	schema: z.string(),
	name: z.string(),
	kind: z.enum(['r', 'p']),
	columns: z.array(sourceColumn),
	key: z.array(z.string()),
	foreignKeys: z.array(foreignKey),
})

/** What a rows frame says of its buffers, before them. */
export const rowsShape = z.strictObject({
	isComplete: z.boolean(),
	rows: count,
	/** Stretches of rows of one transaction. */
	runs: count,
	/** Bytes of the list of rewritten values. */
	rewritten: count,
	/** The leaves that occur; rows name them by number unless there is one alone. */
	leaves: z.array(z.string().nullable()),
	/** Parallel to the table's columns. */
	columns: z.array(
		z.strictObject({
			/** Bytes of each length. */
			width: z.union([z.literal(1), z.literal(2), z.literal(4)]),
			hasNulls: z.boolean(),
			/** Bytes of all the values together. */
			bytes: count,
		}),
	),
	table: sourceTable,
})
export type RowsDescription = z.infer<typeof rowsShape>

const tableCounts = z.strictObject({ deleted: count, relinked: count })
const counts = mapOf<z.infer<typeof tableCounts>>((value) => tableCounts.safeParse(value).success)
const signed = { lineage: z.string(), xid: z.string(), id: z.string(), batch: z.int() }

const archivedTransaction = z.strictObject({
	position: z.strictObject({ timeline: uint32, lsn: uint64 }),
	end: uint64,
	xid: uint32,
	committedAt: int64,
	rows: counts,
	tag: z
		.strictObject({ kind: z.enum(['run', 'restore']), ...signed, actor: z.string(), reason: z.string() })
		.optional(),
	seal: z.strictObject({ ...signed, rows: counts, collateral: counts }).optional(),
	claim: z.strictObject({ actor: z.string(), reason: z.string() }).optional(),
	barriers: z.array(z.string()),
})

const incident = z.strictObject({
	id: z.string(),
	code: z.string(),
	message: z.string(),
	remedy: z.string(),
	table: z.string().optional(),
	position: uint64.optional(),
	stopsCapture: z.boolean(),
})

const share: z.ZodType<FrameShare> = z.strictObject({
	table: z.string(),
	topic: z.string(),
	partition: count,
	rows: count,
	final: place,
})

const sentTransaction: z.ZodType<SentTransaction> = z.strictObject({
	archived: archivedTransaction.optional(),
	position: uint64,
	end: uint64,
	xid: uint32,
	committedAt: int64,
	isUrgent: z.boolean(),
	incidents: z.array(incident),
	gaps: z.array(z.strictObject({ table: z.string(), position: uint64, reason: z.string() })),
	shares: z.array(share),
})

/** All that a transactions frame says. */
export const transactionsShape = z.strictObject({
	received: uint64,
	isFinal: z.boolean(),
	transactions: z.array(sentTransaction),
})

/** The rewritten values of the rows that have any, by row. */
export const rewrittenShape = z.array(
	z.tuple([count, mapOf<string | null>((value) => value === null || typeof value === 'string')]),
)

/** One line of JSON; 64-bit numbers as decimal strings. */
export function formatLine(value: object): Buffer {
	const text = JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? part.toString() : part))
	return Buffer.from(`${text}\n`)
}

/** Reads JSON of a shape. Throws PoisonRecord on anything else. */
export function parseShape<T>(shape: z.ZodType<T>, bytes: Uint8Array, what: string): T {
	try {
		return shape.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)))
	} catch (cause) {
		throw new PoisonRecord('content', `${what} is not as version 1 has it`, { cause })
	}
}

function decimal(form: RegExp, least: bigint, most: bigint) {
	return z
		.string()
		.regex(form)
		.transform(BigInt)
		.refine((value) => value >= least && value <= most)
}

/** A record of any keys: zod's own leaves out `__proto__`, which is a name like any other. */
function mapOf<T>(isValue: (value: unknown) => boolean) {
	return z.custom<Record<string, T>>(
		(map) => typeof map === 'object' && map !== null && !Array.isArray(map) && Object.values(map).every(isValue),
	)
}
