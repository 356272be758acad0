import { readFileSync } from 'node:fs'
import { ReprieveError } from '@reprieve/contracts'
import { z } from 'zod'
import type { KafkaConfig } from './config.ts'

const count = z
	.string()
	.regex(/^\d{1,4}$/, 'a whole number')
	.transform(Number)
const flag = z.enum(['0', '1', 'true', 'false']).transform((text) => text === '1' || text === 'true')

/** The variables of Kafka; the names of api.md section 5, and what they leave to the operator. */
export const kafkaEnvironment = z.object({
	/** host:port, comma separated. */
	KAFKA_BROKERS: z
		.string()
		.regex(/^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/, 'host:port, comma separated')
		.optional(),
	KAFKA_SSL: flag.optional(),
	/** PEM text of the authority, or the path of a file with it. */
	KAFKA_SSL_CA: z.string().min(1).optional(),
	KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
	KAFKA_SASL_USERNAME: z.string().min(1).optional(),
	KAFKA_SASL_PASSWORD: z.string().min(1).optional(),
	REPRIEVE_KAFKA_PREFIX: z
		.string()
		.regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, 'letters, digits, _ and -, with dots between')
		.max(100)
		.optional(),
	REPRIEVE_KAFKA_GROUP: z.string().min(1).max(200).optional(),
	REPRIEVE_KAFKA_PARTITIONS: count.pipe(z.number().min(1).max(1_000)).default(1),
	REPRIEVE_KAFKA_REPLICATION: count.pipe(z.number().min(1)).optional(),
	REPRIEVE_KAFKA_ACKNOWLEDGE: z.enum(['vault', 'broker']).default('vault'),
	REPRIEVE_KAFKA_RETENTION_HOURS: count.pipe(z.number().min(1)).default(168),
	/** HMAC key of the frames, 32 bytes in base64 or hex. */
	REPRIEVE_FRAME_KEY: z.string().optional(),
})

export type KafkaEnvironment = z.infer<typeof kafkaEnvironment>

/** What the environment alone says of Kafka; the database's name and a generated key complete it. Null: in process. */
export type KafkaSettings = Omit<KafkaConfig, 'prefix' | 'group' | 'frameKey'> & {
	prefix?: string
	group?: string
	frameKey?: Uint8Array
}

/** Throws INVALID for settings that do not fit together. */
export function kafkaSettings(env: KafkaEnvironment): KafkaSettings | null {
	if (!env.KAFKA_BROKERS) return null
	return {
		brokers: env.KAFKA_BROKERS.split(','),
		tls: tlsOf(env),
		sasl: saslOf(env),
		prefix: env.REPRIEVE_KAFKA_PREFIX,
		group: env.REPRIEVE_KAFKA_GROUP,
		partitions: env.REPRIEVE_KAFKA_PARTITIONS,
		replication: env.REPRIEVE_KAFKA_REPLICATION,
		acknowledge: env.REPRIEVE_KAFKA_ACKNOWLEDGE,
		retentionMs: env.REPRIEVE_KAFKA_RETENTION_HOURS * 3_600_000,
		frameKey: env.REPRIEVE_FRAME_KEY === undefined ? undefined : parseFrameKey(env.REPRIEVE_FRAME_KEY),
	}
}

/** Where nothing else is said: `reprieve.<database>`. Throws INVALID for a name that no topic can have. */
export function defaultPrefix(database: string): string {
	if (/^[A-Za-z0-9_-]{1,90}$/.test(database)) return `reprieve.${database}`
	throw new ReprieveError('INVALID', 'the name of the database cannot be part of a topic as it is', {
		hint: 'Set REPRIEVE_KAFKA_PREFIX.',
	})
}

/** 32 bytes from base64 or hex. Throws INVALID, without the text. */
export function parseFrameKey(text: string): Uint8Array {
	const bytes = Buffer.from(text, /^[0-9a-fA-F]{64}$/.test(text) ? 'hex' : 'base64')
	if (bytes.length === 32) return bytes
	throw new ReprieveError('INVALID', `REPRIEVE_FRAME_KEY has ${bytes.length} bytes, it needs 32`, {
		hint: 'Make one with `openssl rand -base64 32`, and give it to capture and archive alike.',
	})
}

function tlsOf({ KAFKA_SSL: isOn, KAFKA_SSL_CA: ca }: KafkaEnvironment): KafkaConfig['tls'] {
	if (isOn === false && ca) throw new ReprieveError('INVALID', 'KAFKA_SSL is off, but KAFKA_SSL_CA is set')
	if (!isOn && !ca) return null
	return ca === undefined ? {} : { ca: ca.startsWith('-----BEGIN') ? ca : readAuthority(ca) }
}

function readAuthority(path: string): string {
	try {
		return readFileSync(path, 'utf8')
	} catch (cause) {
		throw new ReprieveError('INVALID', 'KAFKA_SSL_CA is neither PEM text nor a file that can be read', { cause })
	}
}

function saslOf(env: KafkaEnvironment): KafkaConfig['sasl'] {
	const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = env
	if (!mechanism && !username && !password) return null
	if (mechanism && username && password) return { mechanism, username, password }
	throw new ReprieveError('INVALID', 'KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD go together: not all are set')
}
