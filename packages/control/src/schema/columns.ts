import { customType, pgSchema } from 'drizzle-orm/pg-core'

/** All control tables live in the schema `reprieve`: with primary keys, logged, and of built-in types only. */
export const reprieve = pgSchema('reprieve')

/** timestamptz as RFC 3339 text with microseconds, UTC. The session's time zone must be UTC. */
export const instant = customType<{ data: string; driverData: string }>({
	dataType: () => 'timestamp with time zone',
	fromDriver: (text) => {
		const match = /^(\d+-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(text)
		return match ? `${match[1]}T${match[2]}.${(match[3] ?? '').padEnd(6, '0')}Z` : text
	},
})

/** A log position (pg_lsn) as bigint. */
export const lsn = customType<{ data: bigint; driverData: string }>({
	dataType: () => 'pg_lsn',
	toDriver: (value) => `${(value >> 32n).toString(16)}/${(value & 0xffffffffn).toString(16)}`,
	fromDriver: (text) => {
		const [high = '0', low = '0'] = text.split('/')
		return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
	},
})
