import type { Finding } from '../api/common.ts'

/** The publication that Debezium's connector follows: it takes one, so all kinds of change of every protected table. */
export const debeziumPublication = 'reprieve_debezium'

/** What the connector's sessions must be set to, whatever database and role say: texts inside of values depend on it. */
const sessionOptions = [
	'-c bytea_output=hex',
	'-c datestyle=ISO',
	'-c extra_float_digits=3',
	'-c intervalstyle=postgres',
	'-c timezone=UTC',
].join(' ')

const jsonConverter = 'org.apache.kafka.connect.json.JsonConverter'

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
	'driver.options': sessionOptions,
	'value.converter': jsonConverter,
	'value.converter.replace.null.with.default': 'false',
	'producer.override.compression.type': 'zstd',
}

/** Values that a setting may have besides the one that is printed. */
const alsoFine: Readonly<Record<string, readonly string[]>> = {
	'snapshot.mode': ['never'],
	'interval.handling.mode': ['numeric'],
	'producer.override.compression.type': ['none', 'gzip'],
}

/** Settings without which the connector does the same by itself: what it does then, and the only value that they may have. */
const defaults: Readonly<Record<string, string>> = {
	'slot.drop.on.stop': 'false',
	'event.processing.failure.handling.mode': 'fail',
	'errors.tolerance': 'none',
	'publish.via.partition.root': 'false',
	'lsn.flush.mode': 'connector',
	'flush.lsn.source': 'true',
	'field.name.adjustment.mode': 'none',
	'internal.log.position.check.enable': 'true',
	'topic.delimiter': '.',
	'topic.naming.strategy': 'io.debezium.schema.SchemaTopicNamingStrategy',
	'topic.transaction': 'transaction',
	'transaction.metadata.factory': 'io.debezium.pipeline.txmetadata.DefaultTransactionMetadataFactory',
	'sourceinfo.struct.maker': 'io.debezium.connector.postgresql.PostgresSourceInfoStructMaker',
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
	'replica.identity.autoset.values',
	'slot.stream.params',
]
const forbiddenBeginnings = ['column.mask.', 'column.truncate.', 'predicates']

/** What is wrong with a connector's settings, each with its remedy. Values are shown only of settings that are no secret. */
export function wrongSettings(
	connector: string,
	config: Readonly<Record<string, string>>,
	expected: { prefix: string; slot: string },
): Finding[] {
	const required = { ...defaults, ...connectorSettings, 'topic.prefix': expected.prefix, 'slot.name': expected.slot }
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

/** Bytes of the largest record: a row's image in JSON. Kafka's own limit is 1 MiB, and a larger row stops the connector. */
const recordBytes = 32 * 1024 * 1024

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
	/** File of properties from which Kafka Connect's file provider takes `database.password`. */
	passwordFile: string
}

/** A connector ready to post to Kafka Connect; the password is a placeholder that Connect's own file provider fills in. */
export function connectorConfig(address: ConnectorAddress): { name: string; config: Record<string, string> } {
	const { name, host, port, database, user, prefix, slot, replication, passwordFile } = address
	return {
		name,
		config: {
			...connectorSettings,
			'tasks.max': '1',
			'database.hostname': host,
			'database.port': String(port),
			'database.user': user,
			'database.password': `\${file:${passwordFile}:database.password}`,
			'database.dbname': database,
			'topic.prefix': prefix,
			'slot.name': slot,
			'key.converter': jsonConverter,
			'key.converter.schemas.enable': 'false',
			'value.converter.schemas.enable': 'false',
			'tombstones.on.delete': 'false',
			'heartbeat.interval.ms': '10000',
			'poll.interval.ms': '20',
			'max.batch.size': '16384',
			'max.queue.size': '65536',
			'max.queue.size.in.bytes': String(recordBytes),
			'producer.override.max.request.size': String(recordBytes),
			'producer.override.buffer.memory': String(2 * recordBytes),
			'topic.creation.default.max.message.bytes': String(recordBytes),
			'topic.creation.default.partitions': '1',
			'topic.creation.default.replication.factor': String(replication),
			'topic.creation.default.cleanup.policy': 'delete',
			'topic.creation.default.retention.ms': '-1',
			...(replication >= 3 && { 'topic.creation.default.min.insync.replicas': '2' }),
			'topic.creation.default.unclean.leader.election.enable': 'false',
		},
	}
}
