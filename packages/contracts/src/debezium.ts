import type { Finding } from './api/common.ts'

/** A column's type as the catalog has it, domains looked through. */
export type WireType = {
	/** OID of the type, of the base type for a domain. */
	oid: number
	/** Modifier, of the domain for a domain. */
	typmod: number
	/** pg_type.typtype: b base, c composite, e enum, m multirange, r range. */
	kind: string
	/** pg_type.typname. */
	name: string
	/** Its elements' type is not zero and it is an array. */
	isArray: boolean
	/** The extension that brought it, if any. */
	extension: string | null
}

/** How Debezium writes a value of a type under {@link connectorSettings}. */
export type WireForm =
	| 'boolean'
	| 'integer'
	| 'float4'
	| 'float8'
	| 'numeric'
	| 'text'
	| 'bytes'
	| 'bits'
	| 'date'
	| 'time'
	| 'timetz'
	| 'timestamp'
	| 'timestamptz'
	| 'hstore'
	/** Base64 of the server's own text. */
	| 'opaque'

/** Either the form from which every value of the type can be had back exactly, or why there is none. */
export type TypeVerdict = { form: WireForm; reason?: undefined } | { form?: undefined; reason: string }

const forms: Readonly<Record<number, WireForm>> = {
	16: 'boolean',
	20: 'integer',
	21: 'integer',
	23: 'integer',
	26: 'integer',
	700: 'float4',
	701: 'float8',
	1700: 'numeric',
	25: 'text',
	1043: 'text',
	1042: 'text',
	19: 'text',
	2950: 'text',
	114: 'text',
	3802: 'text',
	869: 'text',
	650: 'text',
	829: 'text',
	774: 'text',
	3614: 'text',
	3904: 'text',
	3906: 'text',
	3908: 'text',
	3910: 'text',
	3912: 'text',
	3926: 'text',
	17: 'bytes',
	1560: 'bits',
	1082: 'date',
	1083: 'time',
	1266: 'timetz',
	1114: 'timestamp',
	1184: 'timestamptz',
	28: 'opaque',
	3220: 'opaque',
	3615: 'opaque',
	4072: 'opaque',
	5069: 'opaque',
	4451: 'opaque',
	4532: 'opaque',
	4533: 'opaque',
	4534: 'opaque',
	4535: 'opaque',
	4536: 'opaque',
}

const ofExtensions: Readonly<Record<string, WireForm>> = { citext: 'text', ltree: 'text', hstore: 'hstore' }

const reasons: Readonly<Record<number, string>> = {
	142: 'the XML declaration is lost',
	790: "its text depends on lc_monetary of the connector's session",
	1186: 'an infinite interval arrives as zero',
	1562: 'the length of a bit varying value is lost',
	18: 'bytes beyond ASCII are not kept',
}

/** Whether every value of a type arrives whole through Debezium with {@link connectorSettings}; measured on 3.7. */
export function typeVerdict(type: WireType): TypeVerdict {
	if (type.isArray) return { reason: "an array's dimensions and lower bounds are lost" }
	if (type.oid === 1700 && hasNegativeScale(type.typmod)) return { reason: 'a negative scale arrives as other digits' }
	const form = forms[type.oid] ?? (type.kind === 'e' ? 'text' : undefined)
	if (form) return { form }
	const ofExtension = type.extension === type.name ? ofExtensions[type.name] : undefined
	if (ofExtension) return { form: ofExtension }
	if (type.kind === 'c') return { reason: "its text depends on settings of the connector's session" }
	return { reason: reasons[type.oid] ?? 'Debezium is not known to carry its values whole' }
}

/** The modifier holds the scale in 11 bits, two's complement. */
function hasNegativeScale(typmod: number): boolean {
	return typmod >= 4 && (((typmod - 4) & 0x7ff) ^ 1024) - 1024 < 0
}

/** The publication that Debezium's connector follows: it takes one, so all kinds of change of every protected table. */
export const debeziumPublication = 'reprieve_debezium'

/** Connector settings that values and positions depend on. */
export const connectorSettings: Readonly<Record<string, string>> = {
	'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
	'plugin.name': 'pgoutput',
	'publication.name': debeziumPublication,
	'publication.autocreate.mode': 'disabled',
	'snapshot.mode': 'no_data',
	'skipped.operations': 'none',
	'provide.transaction.metadata': 'true',
	'decimal.handling.mode': 'string',
	'time.precision.mode': 'structured',
	'binary.handling.mode': 'base64',
	'interval.handling.mode': 'string',
	'hstore.handling.mode': 'json',
	'include.unknown.datatypes': 'true',
	'event.converting.failure.handling.mode': 'fail',
	'event.processing.failure.handling.mode': 'fail',
	'slot.drop.on.stop': 'false',
}

/** Connector settings that may not be there with any value: they take rows, columns or whole events away. */
const forbidden = [
	'transforms',
	'table.include.list',
	'table.exclude.list',
	'schema.include.list',
	'schema.exclude.list',
	'column.include.list',
	'column.exclude.list',
	'message.prefix.include.list',
	'message.prefix.exclude.list',
	'converters',
	'post.processors',
]
const forbiddenBeginnings = ['column.mask.', 'column.truncate.', 'predicates']

/** Values that a setting may have besides the one that is printed. */
const alsoFine: Readonly<Record<string, readonly string[]>> = {
	'snapshot.mode': ['never'],
	'interval.handling.mode': ['numeric'],
}

/** Settings without which the connector does the same by itself. */
const defaults: Readonly<Record<string, string>> = {
	'slot.drop.on.stop': 'false',
	'event.processing.failure.handling.mode': 'fail',
}

/** What is wrong with a connector's settings, each with its remedy. Values are shown only of settings that are no secret. */
export function wrongSettings(
	connector: string,
	config: Readonly<Record<string, string>>,
	expected: { prefix: string; slot: string },
): Finding[] {
	const required = { ...connectorSettings, 'topic.prefix': expected.prefix, 'slot.name': expected.slot }
	const findings = Object.entries(required).flatMap(([name, value]) => {
		const found = config[name] ?? defaults[name]
		if (found === value || alsoFine[name]?.includes(found ?? '')) return []
		return [
			wrong(connector, `${name} is ${found === undefined ? 'not set' : found}, not ${value}`, `Set ${name}=${value}`),
		]
	})
	const taken = Object.keys(config).filter(
		(name) => forbidden.includes(name) || forbiddenBeginnings.some((beginning) => name.startsWith(beginning)),
	)
	const odd = taken.map((name) =>
		wrong(connector, `${name} is set: it may take changes or values away`, `Remove ${name}`),
	)
	return [...findings, ...odd]
}

function wrong(connector: string, what: string, remedy: string): Finding {
	return {
		code: 'connectorSetting',
		message: `connector ${connector}: ${what}`,
		remedy: `${remedy} (\`reprieve debezium config\` prints all of them), then protect the tables again.`,
	}
}

export type ConnectorAddress = {
	/** Of the connector in Kafka Connect. */
	name: string
	host: string
	port: number
	database: string
	user: string
	/** `topic.prefix`: REPRIEVE_KAFKA_PREFIX. */
	prefix: string
	/** The lineage's slot: `reprieve_<oid of the database>`. */
	slot: string
	/** Replicas of the topics that Connect makes. */
	replication: number
}

/** A connector ready to post to Kafka Connect; the password is a placeholder that Connect's own file provider fills in. */
export function connectorConfig(address: ConnectorAddress): { name: string; config: Record<string, string> } {
	const { name, host, port, database, user, prefix, slot, replication } = address
	return {
		name,
		config: {
			...connectorSettings,
			'tasks.max': '1',
			'database.hostname': host,
			'database.port': String(port),
			'database.user': user,
			// biome-ignore lint/suspicious/noTemplateCurlyInString: Kafka Connect's own placeholder.
			'database.password': '${file:/run/secrets/reprieve.properties:database.password}',
			'database.dbname': database,
			'topic.prefix': prefix,
			'slot.name': slot,
			'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
			'key.converter.schemas.enable': 'false',
			'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
			'value.converter.schemas.enable': 'false',
			'tombstones.on.delete': 'false',
			'heartbeat.interval.ms': '10000',
			'poll.interval.ms': '20',
			'max.batch.size': '16384',
			'max.queue.size': '65536',
			'topic.creation.default.partitions': '1',
			'topic.creation.default.replication.factor': String(replication),
			'topic.creation.default.cleanup.policy': 'delete',
			'topic.creation.default.retention.ms': '-1',
			...(replication >= 3 && { 'topic.creation.default.min.insync.replicas': '2' }),
			'topic.creation.default.unclean.leader.election.enable': 'false',
		},
	}
}
