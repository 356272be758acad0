import type { SourceColumn } from '@reprieve/contracts'
import type { Codec, DeltaType } from './codec.ts'
import { decimalCodec } from './decimal.ts'
import { doubleCodec, floatCodec } from './float.ts'
import { dateCodec, timestampCodec } from './instant.ts'
import { integerCodec, longCodec, shortCodec } from './integer.ts'
import { binaryCodec, booleanCodec, stringCodec } from './text.ts'

const numericOid = 1700
const typmodHeader = 4
const maxPrecision = 38

/**
 * PostgreSQL types with a native form that is lossless for their usual values; all others, domains included, are their text.
 * `timestamp` without zone is text too: Delta's own form of it raises the protocol to 3/7, which older readers refuse.
 */
const nativeTypes: Readonly<Record<number, DeltaType>> = {
	16: 'boolean',
	17: 'binary',
	20: 'long',
	21: 'short',
	23: 'integer',
	700: 'float',
	701: 'double',
	1082: 'date',
	1184: 'timestamp',
}

const codecs: Readonly<Partial<Record<DeltaType, Codec>>> = {
	boolean: booleanCodec,
	short: shortCodec,
	integer: integerCodec,
	long: longCodec,
	float: floatCodec,
	double: doubleCodec,
	string: stringCodec,
	binary: binaryCodec,
	date: dateCodec,
	timestamp: timestampCodec,
}

/** The Delta type of a source column. */
export function deltaTypeOf(column: SourceColumn): DeltaType {
	if (column.typeOid === numericOid) return numericType(column.typmod)
	return nativeTypes[column.typeOid] ?? 'string'
}

/** The codec of a Delta type. Throws a RangeError for one that the vault never writes. */
export function codecOf(type: DeltaType): Codec {
	const decimal = /^decimal\((\d+),(\d+)\)$/.exec(type)
	const codec = decimal ? decimalCodec(Number(decimal[1]), Number(decimal[2])) : codecs[type]
	if (!codec) throw new RangeError(`the vault does not write columns of type ${type}`)
	return codec
}

/** The type modifier holds the precision in 16 bits over a scale of 11 bits, signed since PostgreSQL 15. */
function numericType(typmod: number): DeltaType {
	if (typmod < typmodHeader) return 'string'
	const precision = ((typmod - typmodHeader) >> 16) & 0xffff
	const scale = (((typmod - typmodHeader) & 0x7ff) ^ 1024) - 1024
	const fits = precision <= maxPrecision && scale >= 0 && scale <= precision
	return fits ? `decimal(${precision},${scale})` : 'string'
}
