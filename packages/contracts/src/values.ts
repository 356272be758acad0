import type { Cell } from './api/common.ts'

const boolOid = 16
const int2Oid = 21
const int4Oid = 23

/** JSON form of one cell given its PostgreSQL text: boolean, int2 and int4 natively, null for NULL, text else. */
export function cellFromText(text: string | null, typeOid: number): Cell {
	if (text === null) return null
	if (typeOid === boolOid) return text === 't' || text === 'true'
	if (typeOid === int2Oid || typeOid === int4Oid) return Number(text)
	return text
}

/** PostgreSQL text of a JSON cell. */
export function textFromCell(value: Cell): string | null {
	return value === null ? null : String(value)
}

/** RFC 3339 with microseconds, UTC, from microseconds since 1970. */
export function formatInstant(micros: bigint): string {
	const ms = micros / 1000n - (micros % 1000n < 0n ? 1n : 0n)
	const rest = micros - ms * 1000n
	return new Date(Number(ms)).toISOString().replace('Z', `${rest.toString().padStart(3, '0')}Z`)
}

/** Inverse of {@link formatInstant}; accepts any RFC 3339 instant with up to six fraction digits. Throws a RangeError. */
export function parseInstant(text: string): bigint {
	const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/.exec(text)
	const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN
	if (!match || Number.isNaN(ms)) throw new RangeError(`"${text}" is not an RFC 3339 instant`)
	return BigInt(ms) * 1000n + BigInt((match[2] ?? '').padEnd(6, '0'))
}
