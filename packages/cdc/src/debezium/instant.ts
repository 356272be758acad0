import { type Json, JsonNumber, type JsonObject } from './json.ts'

/** Text of a date, as `time.precision.mode=structured` gives its parts; undefined for anything else. */
export function dateText(value: Json): string | undefined {
	if (!(value instanceof Map) || value.has('hour')) return undefined
	return infinityOf(value) ?? withEra(value, (day) => day)
}

/** Text of a timestamp without time zone. */
export function timestampText(value: Json): string | undefined {
	if (!(value instanceof Map) || value.has('offsetSeconds')) return undefined
	return infinityOf(value) ?? withTime(value, '')
}

/** Text of a timestamp with time zone, in UTC. */
export function timestamptzText(value: Json): string | undefined {
	if (!(value instanceof Map)) return undefined
	const infinity = infinityOf(value)
	if (infinity) return infinity
	return part(value, 'offsetSeconds') === 0 ? withTime(value, '+00') : undefined
}

/** Text of a time without time zone. */
export function timeText(value: Json): string | undefined {
	if (!(value instanceof Map) || value.has('offsetSeconds') || value.has('year')) return undefined
	return clock(value)
}

/** Text of a time with time zone. */
export function timetzText(value: Json): string | undefined {
	if (!(value instanceof Map) || value.has('year')) return undefined
	const time = clock(value)
	const offset = part(value, 'offsetSeconds')
	if (time === undefined || offset === undefined) return undefined
	return time + zone(offset)
}

/** `+05:30`: minutes and seconds only where they are not zero. */
function zone(offset: number): string {
	const away = Math.abs(offset)
	const parts = [Math.floor(away / 3600), Math.floor(away / 60) % 60, away % 60]
	const shown = parts[2] !== 0 ? 3 : parts[1] !== 0 ? 2 : 1
	return `${offset < 0 ? '-' : '+'}${parts.slice(0, shown).map(pair).join(':')}`
}

function infinityOf(value: JsonObject): string | undefined {
	const special = value.get('specialValue')
	if (special === 'POSITIVE_INFINITY') return 'infinity'
	return special === 'NEGATIVE_INFINITY' ? '-infinity' : undefined
}

function withTime(value: JsonObject, zone: string): string | undefined {
	const time = clock(value)
	return time === undefined ? undefined : withEra(value, (day) => `${day} ${time}${zone}`)
}

/** Years count astronomically there: 0 is 1 BC. */
function withEra(value: JsonObject, complete: (day: string) => string): string | undefined {
	const [year, month, day] = [part(value, 'year'), part(value, 'month'), part(value, 'day')]
	if (year === undefined || month === undefined || day === undefined) return undefined
	const isBefore = year <= 0
	const shown = String(isBefore ? 1 - year : year).padStart(4, '0')
	return complete(`${shown}-${pair(month)}-${pair(day)}`) + (isBefore ? ' BC' : '')
}

/** `hh:mm:ss[.ffffff]` without trailing zeros; undefined for parts that PostgreSQL has not. */
function clock(value: JsonObject): string | undefined {
	const [hour, minute, second] = [part(value, 'hour'), part(value, 'minute'), part(value, 'second')]
	const nanos = part(value, 'nanos')
	if (hour === undefined || minute === undefined || second === undefined || nanos === undefined) return undefined
	if (nanos % 1000 !== 0) return undefined
	const fraction = (nanos / 1000).toString().padStart(6, '0').replace(/0+$/, '')
	return `${pair(hour)}:${pair(minute)}:${pair(second)}${fraction && `.${fraction}`}`
}

function part(value: JsonObject, name: string): number | undefined {
	const number = value.get(name)
	return number instanceof JsonNumber && /^-?\d{1,9}$/.test(number.text) ? Number(number.text) : undefined
}

function pair(value: number): string {
	return String(value).padStart(2, '0')
}
