import type { DeltaType } from '../values/codec.ts'
import { flag, i32, list, struct, type ThriftStruct, text } from './thrift.ts'

/** Numbers of Parquet's physical types. */
export const physicalTypes = {
	...{ BOOLEAN: 0, INT32: 1, INT64: 2, FLOAT: 4, DOUBLE: 5, BYTE_ARRAY: 6, FIXED_LEN_BYTE_ARRAY: 7 },
} as const

type Physical = keyof typeof physicalTypes

/** How Parquet holds a type: `size` are the bytes of a value, 0 where each has its own; `marks` say what it stands for. */
type ParquetType = { physical: Physical; size: number; marks: ThriftStruct }

const element = {
	type: 1,
	size: 2,
	repetition: 3,
	name: 4,
	children: 5,
	converted: 6,
	scale: 7,
	precision: 8,
	logical: 10,
}
const repetition = { required: 0, optional: 1, repeated: 2 }
const nothing = struct([])

const texts: ThriftStruct = marks(0, [[1, nothing]])

const types: Readonly<Partial<Record<DeltaType, ParquetType>>> = {
	boolean: { physical: 'BOOLEAN', size: 0, marks: new Map() },
	short: {
		physical: 'INT32',
		size: 4,
		marks: marks(16, [
			[
				10,
				struct([
					[1, { kind: 3, value: 16 }],
					[2, flag(true)],
				]),
			],
		]),
	},
	integer: { physical: 'INT32', size: 4, marks: new Map() },
	long: { physical: 'INT64', size: 8, marks: new Map() },
	float: { physical: 'FLOAT', size: 4, marks: new Map() },
	double: { physical: 'DOUBLE', size: 8, marks: new Map() },
	string: { physical: 'BYTE_ARRAY', size: 0, marks: texts },
	binary: { physical: 'BYTE_ARRAY', size: 0, marks: new Map() },
	date: { physical: 'INT32', size: 4, marks: marks(6, [[6, nothing]]) },
	timestamp: {
		...{ physical: 'INT64', size: 8 },
		marks: marks(10, [
			[
				8,
				struct([
					[1, flag(true)],
					[2, struct([[2, nothing]])],
				]),
			],
		]),
	},
}

/** Throws a RangeError for a type that the vault never writes. */
export function typeOf(type: DeltaType): ParquetType {
	const found = types[type] ?? decimalType(type)
	if (!found) throw new RangeError(`the vault does not write columns of type ${type}`)
	return found
}

/** The schema's elements, the root first, for columns of these types. */
export function schemaOf(columns: readonly { name: string; type: DeltaType | 'map' }[]): ThriftStruct[] {
	const root = new Map([
		[element.name, text('root')],
		[element.children, i32(columns.length)],
	])
	return [root, ...columns.flatMap(({ name, type }) => (type === 'map' ? mapOf(name) : [leafOf(name, type)]))]
}

function leafOf(name: string, type: DeltaType, repeats = repetition.optional): ThriftStruct {
	const { physical, size, marks } = typeOf(type)
	return ordered([
		[element.type, i32(physicalTypes[physical])],
		...(physical === 'FIXED_LEN_BYTE_ARRAY' ? [[element.size, i32(size)] as const] : []),
		[element.repetition, i32(repeats)],
		[element.name, text(name)],
		...marks,
	])
}

function mapOf(name: string): ThriftStruct[] {
	const group = (label: string, repeats: number, children: number, more: ThriftStruct = new Map()) =>
		ordered([
			[element.repetition, i32(repeats)],
			[element.name, text(label)],
			[element.children, i32(children)],
			...more,
		])
	return [
		group(name, repetition.optional, 1, marks(1, [[2, nothing]])),
		group('key_value', repetition.repeated, 2),
		leafOf('key', 'string', repetition.required),
		leafOf('value', 'string'),
	]
}

/** Numbers up to 18 digits are numbers. */
function decimalType(type: DeltaType): ParquetType | undefined {
	const [, precision, scale] = (/^decimal\((\d+),(\d+)\)$/.exec(type) ?? []).map(Number)
	if (precision === undefined || scale === undefined) return undefined
	const own: ThriftStruct = ordered([
		[element.converted, i32(5)],
		[element.scale, i32(scale)],
		[element.precision, i32(precision)],
		[
			element.logical,
			struct([
				[
					5,
					struct([
						[1, i32(scale)],
						[2, i32(precision)],
					]),
				],
			]),
		],
	])
	if (precision <= 9) return { physical: 'INT32', size: 4, marks: own }
	if (precision <= 18) return { physical: 'INT64', size: 8, marks: own }
	const size = Math.ceil((precision * Math.log2(10) + 1) / 8)
	return { physical: 'FIXED_LEN_BYTE_ARRAY', size, marks: own }
}

/** What a value stands for: as old readers know it by number, and as newer ones do. */
function marks(converted: number, logical: Parameters<typeof struct>[0]): ThriftStruct {
	return new Map([
		[element.converted, i32(converted)],
		[element.logical, struct(logical)],
	])
}

function ordered(fields: Parameters<typeof struct>[0]): ThriftStruct {
	return new Map([...fields].sort(([a], [b]) => a - b))
}

/** Bounds of every leaf are in its type's own order. */
export function ordersOf(leaves: number): ReturnType<typeof list> {
	return list(
		12,
		Array.from({ length: leaves }, () => struct([[1, nothing]])),
	)
}
