import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ReprieveError, readSecret } from '@reprieve/contracts'
import { z } from 'zod'
import { type KafkaSettings, kafkaEnvironment, kafkaSettings } from './kafka/environment.ts'

/** What a sidecar needs to know; parsed by {@link parseConfig}. */
export const configSchema = z.strictObject({
	/** The database whose log is followed. Direct, not through a pooler: a pooler cannot carry a replication stream. */
	databaseUrl: z.string().min(1),
	/** Milliseconds that ordinary changes wait for company before a flush. More: fewer, larger segments. */
	lingerMs: z.number().int().min(0).max(60_000).default(200),
	/** Bytes of decoded rows held in memory before they are written ahead of their commit. */
	bufferBytes: z
		.number()
		.int()
		.min(1024)
		.default(8 * 1024 * 1024),
	/** Milliseconds between acknowledgements, each of which costs a small write to the database and to the vault. */
	acknowledgeMs: z.number().int().min(0).default(1_000),
	/** A quiet database's log is released at most this often (milliseconds), and only when it is worth a write: */
	keepaliveMs: z.number().int().min(0).default(10_000),
	/** ... when so many bytes of log are held back. */
	keepaliveBytes: z
		.number()
		.int()
		.min(0)
		.default(1024 * 1024),
	/** Milliseconds between heartbeats in `reprieve.capture_state`. */
	heartbeatMs: z.number().int().min(10).default(1_000),
	/** Milliseconds after which another process may take over a lease that was not renewed. */
	leaseMs: z.number().int().min(1_000).default(10_000),
	/** Milliseconds between the first failure and the next try; doubles up to 30 times as much. */
	backoffMs: z.number().int().min(1).default(500),
	/** Milliseconds between rounds of compaction and checkpoints; 0 for none. */
	upkeepMs: z.number().int().min(0).default(30_000),
	/** Milliseconds between looks for new partition leaves, which are protected at once; 0 for none. */
	protectMs: z.number().int().min(0).default(1_000),
	/** Address of the role that owns the tables, for new leaves. Default: the database's. */
	ownerUrl: z.string().min(1).optional(),
})

export type SidecarConfig = Readonly<z.infer<typeof configSchema>>

/** Checks and completes a configuration. Throws a ZodError that names every wrong field. */
export function parseConfig(input: z.input<typeof configSchema>): SidecarConfig {
	return Object.freeze(configSchema.parse(input))
}

const url = z.string().regex(/^postgres(ql)?:\/\//, 'an address like postgres://user@host:5432/database')

const environment = z.object({
	/** The database served; for the stream as well where REPRIEVE_CAPTURE_URL is absent. */
	DATABASE_URL: url.optional(),
	/** Direct, not through a pooler, as a role that may replicate. */
	REPRIEVE_CAPTURE_URL: url.optional(),
	/** Role that owns the tables; the database's where absent. */
	REPRIEVE_OWNER_URL: url.optional(),
	/** Folder of the vault, unless REPRIEVE_VAULT says where it is. */
	REPRIEVE_DATA: z.string().min(1).default('.reprieve'),
	REPRIEVE_VAULT: z
		.string()
		.regex(/^(file|s3):\/\//, 'file:///folder or s3://bucket/prefix')
		.optional(),
	/** Keys that encrypt segments, `id:key,id:key`, newest first, 32 bytes each; absent: they lie in the vault as they are. */
	REPRIEVE_VAULT_KEY: z.string().optional(),
	REPRIEVE_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
	/** REST of Kafka Connect, where Debezium's connector runs. */
	REPRIEVE_CONNECT_URL: z.string().min(1).optional(),
	/** Port of 127.0.0.1 that answers 200 while the sidecar streams; absent: none. */
	REPRIEVE_HEALTH_PORT: z
		.string()
		.regex(/^\d{1,5}$/, 'a port')
		.transform(Number)
		.optional(),
	/** Records of Debezium's topics that an operator leaves out: topic:partition:offset, comma separated. */
	REPRIEVE_KAFKA_SKIP: z
		.string()
		.regex(/^[\w.-]+:\d+:\d+(,[\w.-]+:\d+:\d+)*$/, 'topic:partition:offset, comma separated')
		.optional(),
	...kafkaEnvironment.shape,
})

const secrets = ['KAFKA_SASL_PASSWORD', 'REPRIEVE_FRAME_KEY', 'REPRIEVE_VAULT_KEY'] as const

/** What a capture in a process of its own needs to know; read once in main. */
export type ProcessConfig = {
	sidecar: SidecarConfig
	/** `file://` or `s3://` address of the vault's root. */
	vault: string
	/** Absolute path of the folder for generated keys and for what capture sets aside. */
	data: string
	/** Null: in process. */
	kafka: KafkaSettings | null
	connectUrl?: string
	/** Absent: nobody is told. */
	healthPort?: number
	vaultKey?: string
	/** Records to leave out, as `topic:partition:offset`. */
	skip: readonly string[]
	logLevel: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** Reads the environment (`NAME_FILE` stands for a secret `NAME`). Throws INVALID that names every bad variable, never its value. */
export function readConfig(env: Environment): ProcessConfig {
	const names = Object.keys(environment.shape)
	const parsed = environment.safeParse(
		Object.fromEntries(
			names.map((name) => [name, isSecret(name) ? readSecret(env, name, readText) : env[name] || undefined]),
		),
	)
	if (!parsed.success) {
		const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
		throw new ReprieveError('INVALID', `configuration: ${issues.join('; ')}`)
	}
	const { DATABASE_URL, REPRIEVE_CAPTURE_URL, REPRIEVE_OWNER_URL, REPRIEVE_DATA, ...rest } = parsed.data
	const databaseUrl = REPRIEVE_CAPTURE_URL ?? DATABASE_URL
	if (!databaseUrl) throw new ReprieveError('INVALID', 'configuration: DATABASE_URL is not set')
	return Object.freeze({
		sidecar: parseConfig({ databaseUrl, ownerUrl: REPRIEVE_OWNER_URL ?? DATABASE_URL }),
		vault: rest.REPRIEVE_VAULT ?? pathToFileURL(join(resolve(REPRIEVE_DATA), 'vault')).href,
		data: resolve(REPRIEVE_DATA),
		kafka: kafkaSettings(rest),
		connectUrl: rest.REPRIEVE_CONNECT_URL,
		healthPort: rest.REPRIEVE_HEALTH_PORT,
		vaultKey: rest.REPRIEVE_VAULT_KEY,
		skip: rest.REPRIEVE_KAFKA_SKIP?.split(',') ?? [],
		logLevel: rest.REPRIEVE_LOG_LEVEL,
	})
}

function isSecret(name: string): boolean {
	return name.endsWith('_URL') || secrets.some((secret) => secret === name)
}

function readText(path: string): string {
	return readFileSync(path, 'utf8')
}
