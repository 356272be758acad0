import { asciiText, type Codec, isText, takeEach } from './codec.ts'
import { putWords, readDigits } from './digits.ts'

const dateLength = 'YYYY-MM-DD'.length
const secondLength = 'YYYY-MM-DD HH:MM:SS'.length
const daySeconds = 86_400
const colon = 58
const dash = 45
const space = 32
const dot = 46
const zero = 48

/** date, years 1 to 9999 (infinity and BC stay text). */
export const dateCodec: Codec = {
	encode(column, start, end) {
		const data = new Int32Array(end - start)
		const { nullBitmap, nullCount, exact } = takeEach(column, start, end, (from, to, row) => {
			const day = to - from === dateLength ? readDay(column.bytes, from) : Number.NaN
			if (Number.isNaN(day)) return false
			data[row] = day
			return true
		})
		return { data: { type: 'date', nullBitmap, values: data }, nullCount, exact }
	},
	decode: (cell) => formatDay(cell as number),
	json: (cell) => `"${formatDay(cell as number)}"`,
}

/** timestamp with time zone as a session in UTC prints it, years 1 to 9999. */
export const timestampCodec: Codec = {
	encode(column, start, end) {
		const data = new BigInt64Array(end - start)
		const words = new Uint32Array(data.buffer)
		const { nullBitmap, nullCount, exact } = takeEach(column, start, end, (from, to, row) => {
			const micros = readMicros(column.bytes, from, to)
			if (Number.isNaN(micros)) return false
			putWords(words, row * 2, 2, micros)
			return true
		})
		return { data: { type: 'timestamp', nullBitmap, values: data }, nullCount, exact }
	},
	decode: (cell) => formatTimestamp(cell as bigint),
	json: (cell) => instantJson(cell as bigint),
}

/** A bound of a timestamp column, always with six fraction digits, so that bounds compare as text. */
function instantJson(micros: bigint): string {
	const { day, second, micro } = splitMicros(micros)
	return `"${formatDay(day)}T${formatClock(second)}.${micro.toString().padStart(6, '0')}Z"`
}

/** PostgreSQL's text of a timestamptz in UTC. */
export function formatTimestamp(micros: bigint): string {
	const { day, second, micro } = splitMicros(micros)
	const fraction = micro === 0 ? '' : `.${micro.toString().padStart(6, '0').replace(/0+$/, '')}`
	return `${formatDay(day)} ${formatClock(second)}${fraction}+00`
}

function splitMicros(micros: bigint): { day: number; second: number; micro: number } {
	const { seconds, micro } = splitSeconds(micros)
	const day = Math.floor(seconds / daySeconds)
	return { day, second: seconds - day * daySeconds, micro }
}

/** Numbers do for most, and cost no object at each step. */
function splitSeconds(micros: bigint): { seconds: number; micro: number } {
	const whole = Number(micros)
	if (Number.isSafeInteger(whole)) {
		const seconds = Math.floor(whole / 1_000_000)
		return { seconds, micro: whole - seconds * 1_000_000 }
	}
	const micro = Number(((micros % 1_000_000n) + 1_000_000n) % 1_000_000n)
	return { seconds: Number((micros - BigInt(micro)) / 1_000_000n), micro }
}

function formatClock(second: number): string {
	return `${twoDigits(Math.floor(second / 3600))}:${twoDigits(Math.floor(second / 60) % 60)}:${twoDigits(second % 60)}`
}

function twoDigits(value: number): string {
	return value < 10 ? `0${value}` : String(value)
}

/** Days since 1970-01-01 as YYYY-MM-DD. Most rows share their days with others, so some are kept. */
function formatDay(day: number): string {
	if (formatted.day !== day) formatted = { day, text: formattedDays.get(day) ?? formatNewDay(day) }
	return formatted.text
}

let formatted = { day: 0, text: '1970-01-01' }

const formattedDays = new Map<number, string>()
/** Ten years. */
const mostDays = 3_660

function formatNewDay(day: number): string {
	const text = new Date(day * daySeconds * 1000).toISOString().slice(0, dateLength)
	if (formattedDays.size >= mostDays) formattedDays.clear()
	formattedDays.set(day, text)
	return text
}

/** Microseconds since 1970 of `YYYY-MM-DD HH:MM:SS[.ffffff]+00`, NaN for any other spelling. */
function readMicros(bytes: Uint8Array, from: number, to: number): number | bigint {
	const clock = from + dateLength + 1
	if (to - from < secondLength + 3 || !isText(bytes, to - 3, to, '+00') || bytes[clock - 1] !== space) return Number.NaN
	const day = readDay(bytes, from)
	const second = readClock(bytes, clock)
	const micro = readFraction(bytes, from + secondLength, to - 3)
	const seconds = day * daySeconds + second
	if (Number.isNaN(seconds + micro)) return Number.NaN
	const micros = seconds * 1_000_000 + micro
	return Number.isSafeInteger(micros) ? micros : BigInt(seconds) * 1_000_000n + BigInt(micro)
}

function readClock(bytes: Uint8Array, at: number): number {
	if (bytes[at + 2] !== colon || bytes[at + 5] !== colon) return Number.NaN
	const hour = Number(readDigits(bytes, at, at + 2))
	const minute = Number(readDigits(bytes, at + 3, at + 5))
	const second = Number(readDigits(bytes, at + 6, at + 8))
	return hour < 24 && minute < 60 && second < 60 ? hour * 3600 + minute * 60 + second : Number.NaN
}

/** Microseconds of `.f` to `.ffffff` without trailing zeros; 0 of nothing. */
function readFraction(bytes: Uint8Array, from: number, to: number): number {
	if (from === to) return 0
	const digits = to - from - 1
	if (bytes[from] !== dot || digits > 6 || bytes[to - 1] === zero) return Number.NaN
	return Number(readDigits(bytes, from + 1, to)) * 10 ** (6 - digits)
}

/** Days since 1970-01-01 of `YYYY-MM-DD` in the proleptic Gregorian calendar, NaN when it is no such day. */
function readDay(bytes: Uint8Array, from: number): number {
	if (bytes[from + 4] !== dash || bytes[from + 7] !== dash) return Number.NaN
	const year = Number(readDigits(bytes, from, from + 4))
	const month = Number(readDigits(bytes, from + 5, from + 7))
	const day = Number(readDigits(bytes, from + 8, from + 10))
	if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return Number.NaN
	return dayNumber(year, month, day)
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

function daysIn(year: number, month: number): number {
	const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
	return month === 2 && isLeap ? 29 : (monthDays[month - 1] as number)
}

/** Counts in years that begin in March, so that the leap day is the last. */
function dayNumber(year: number, month: number, day: number): number {
	const shifted = month <= 2 ? year - 1 : year
	const era = Math.floor(shifted / 400)
	const yearOfEra = shifted - era * 400
	const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
	const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
	return era * 146_097 + yearOfEra * 365 + leapDays + dayOfYear - 719_468
}

/** Microseconds since 1970 of PostgreSQL's text of a timestamptz in UTC, undefined for any spelling but the usual. */
export function parseTimestamp(text: string): bigint | undefined {
	const bytes = Buffer.from(text)
	const micros = readMicros(bytes, 0, bytes.length)
	return Number.isNaN(micros) ? undefined : BigInt(micros)
}

/** Microseconds since 1970 of a bound that {@link instantJson} wrote. */
export function parseInstantJson(text: string): bigint {
	const bytes = Buffer.from(text)
	const day = readDay(bytes, 0)
	const second = readClock(bytes, dateLength + 1)
	return BigInt(day * daySeconds + second) * 1_000_000n + BigInt(asciiText(bytes, secondLength + 1, secondLength + 7))
}
