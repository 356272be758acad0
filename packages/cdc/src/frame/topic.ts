import { createHash } from 'node:crypto'
import type { TableName } from '@reprieve/contracts'

/** The broker's limit. */
const longestTopic = 249

/**
 * Topic of a table's frames: `<prefix>.<schema>.<table>`. In both segments every byte of UTF-8 but letters, digits, `_`
 * and `-` is written as `..` and two hex digits; so is a `_` in the schema, and one that begins the table or follows
 * another: Kafka refuses a topic that differs from another only in `.` and `_`. A name that grows longer than a topic
 * may be is `<prefix>.digest-<SHA-256 of schema, a zero byte, table>`. No two tables of a prefix have the same topic.
 * Throws a RangeError where the prefix leaves no room.
 */
export function frameTopic(prefix: string, { schema, name }: TableName): string {
	const topic = `${prefix}.${escapeBytes(schema).replaceAll('_', '..5f')}.${escapeTable(name)}`
	if (topic.length <= longestTopic) return topic
	const digest = createHash('sha256').update(`${schema}\0${name}`).digest('hex')
	const short = `${prefix}.digest-${digest}`
	if (short.length <= longestTopic) return short
	throw new RangeError(`the prefix has ${prefix.length} characters, it may have ${longestTopic - 72}`)
}

/** Topic of the transactions: one segment, where a table's has two or begins with `digest-`. */
export function transactionsTopic(prefix: string): string {
	return `${prefix}.transactions`
}

/** The table of a topic of this prefix; undefined for any other topic, and for one that is a digest. */
export function tableOfTopic(prefix: string, topic: string): TableName | undefined {
	if (!topic.startsWith(`${prefix}.`)) return undefined
	const segment = /^((?:[A-Za-z0-9_-]|\.\.[0-9a-f]{2})+)\.((?:[A-Za-z0-9_-]|\.\.[0-9a-f]{2})+)$/
	const [, schema, name] = segment.exec(topic.slice(prefix.length + 1)) ?? []
	if (schema === undefined || name === undefined) return undefined
	const table = { schema: unescapeBytes(schema), name: unescapeBytes(name) }
	return frameTopic(prefix, table) === topic ? table : undefined
}

function escapeTable(name: string): string {
	return escapeBytes(name).replace(/^_|(?<=_)_/g, '..5f')
}

function escapeBytes(text: string): string {
	return text.replace(/[^A-Za-z0-9_-]+/gu, (others) => [...Buffer.from(others)].map(escapeByte).join(''))
}

function escapeByte(byte: number): string {
	return `..${byte.toString(16).padStart(2, '0')}`
}

function unescapeBytes(segment: string): string {
	const bytes = segment.replace(/\.\.(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
	return Buffer.from(bytes, 'latin1').toString()
}
