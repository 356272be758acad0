import type { Position } from './change.ts'

/** PostgreSQL's own spelling of a log position: `16/B374D848`. */
export function formatLsn(lsn: bigint): string {
	return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`
}

/** Inverse of {@link formatLsn}. Throws a RangeError on anything else. */
export function parseLsn(text: string): bigint {
	const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text)
	if (!match) throw new RangeError(`"${text}" is not a log position`)
	return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)
}

/** The opaque string that surfaces show for a position: sorts as text in log order within one timeline. */
export function formatPosition(position: Position): string {
	return `${position.timeline}-${position.lsn.toString(16).padStart(16, '0')}`
}

/** Inverse of {@link formatPosition}. Throws a RangeError on anything else. */
export function parsePosition(text: string): Position {
	const match = /^(\d{1,10})-([0-9a-f]{16})$/.exec(text)
	if (!match) throw new RangeError(`"${text}" is not a position`)
	return { timeline: Number(match[1]), lsn: BigInt(`0x${match[2]}`) }
}
