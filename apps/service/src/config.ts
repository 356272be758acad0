import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ReprieveError, readSecret } from '@reprieve/contracts'
import { z } from 'zod'

const url = z.string().regex(/^postgres(ql)?:\/\//, 'an address like postgres://user@host:5432/database')
const count = z
	.string()
	.regex(/^\d{1,15}$/, 'a whole number')
	.transform(Number)

const environment = z.object({
	/** The database served. */
	DATABASE_URL: url,
	/** One role each; DATABASE_URL where absent. */
	REPRIEVE_PLAN_URL: url.optional(),
	REPRIEVE_DELETE_URL: url.optional(),
	REPRIEVE_RESTORE_URL: url.optional(),
	REPRIEVE_OWNER_URL: url.optional(),
	/** Address to listen on; one beyond this machine needs REPRIEVE_BEHIND_TLS=1, since keys would travel in clear. */
	REPRIEVE_HOST: z.string().min(1).default('127.0.0.1'),
	REPRIEVE_PORT: count.default(4400),
	REPRIEVE_BEHIND_TLS: z.enum(['0', '1']).default('0'),
	/** Folder for generated keys and, by default, the vault. */
	REPRIEVE_DATA: z.string().min(1).default('.reprieve'),
	REPRIEVE_VAULT: z
		.string()
		.regex(/^(file|s3):\/\//, 'file:///folder or s3://bucket/prefix')
		.optional(),
	/** Keys that encrypt segments, `id:key,id:key`, newest first, 32 bytes each; absent: they lie in the vault as they are. */
	REPRIEVE_VAULT_KEY: z.string().optional(),
	/** The first admin key; generated into the data folder when absent. */
	REPRIEVE_ADMIN_KEY: z.string().min(32, 'at least 32 characters').max(1000).optional(),
	/** Ed25519 private key (PKCS #8 PEM) that signs tags; generated into the data folder when absent. */
	REPRIEVE_SIGNING_KEY: z.string().optional(),
	/** Bytes of log that the slot may hold back before runs are refused. More keeps runs going through a longer outage of the archive, and takes more disk. */
	REPRIEVE_SLOT_LIMIT: count.default(16 * 2 ** 30),
	/** Calls a minute of one key. */
	REPRIEVE_RATE_LIMIT: count.default(1200),
	/** Most rows that one plan may match. */
	REPRIEVE_PLAN_ROWS: count.default(10_000_000),
	/** Plans of more rows than this need another's approval; 0 for never. */
	REPRIEVE_APPROVAL_ROWS: count.default(0),
	REPRIEVE_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
})

const secrets = ['DATABASE_URL', 'REPRIEVE_VAULT_KEY', 'REPRIEVE_ADMIN_KEY', 'REPRIEVE_SIGNING_KEY'] as const
const loopback = new Set(['127.0.0.1', '::1', 'localhost'])

/** What a service needs to know, read once in main; tests pass a literal. */
export type Config = {
	urls: { control: string; plan: string; delete: string; restore: string; owner: string }
	host: string
	/** 0 takes any free port. */
	port: number
	/** Absolute path. */
	data: string
	/** `file://` or `s3://` address of the vault's root. */
	vault: string
	vaultKey?: string
	adminKey?: string
	signingKey?: string
	slotBytes: number
	/** Calls a minute of one key. */
	rateLimit: number
	planRows: number
	approvalRows: number
	logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent'
}

/** Reads the environment (`NAME_FILE` stands for a secret `NAME`). Throws INVALID that names every bad variable, never its value. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
	const parsed = environment.safeParse(withSecretFiles(env))
	if (!parsed.success) {
		const issues = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
		throw new ReprieveError('INVALID', `configuration: ${issues.map((i) => `${i.path} ${i.message}`).join('; ')}`, {
			issues,
		})
	}
	return toConfig(parsed.data)
}

/** The configuration with every password and key masked, for the log. */
export function maskConfig(config: Config): Record<string, unknown> {
	const urls = Object.entries(config.urls).map(([role, text]) => [role, text.replace(/\/\/[^@/]*@/, '//***@')])
	return {
		...config,
		urls: Object.fromEntries(urls),
		vault: config.vault.replace(/\/\/[^@/]*@/, '//***@'),
		vaultKey: config.vaultKey && '***',
		adminKey: config.adminKey && '***',
		signingKey: config.signingKey && '***',
	}
}

function toConfig(env: z.infer<typeof environment>): Config {
	if (!loopback.has(env.REPRIEVE_HOST) && env.REPRIEVE_BEHIND_TLS !== '1') {
		throw new ReprieveError('INVALID', `REPRIEVE_HOST is ${env.REPRIEVE_HOST} but REPRIEVE_BEHIND_TLS is 0`, {
			hint: 'Put a TLS proxy in front and set REPRIEVE_BEHIND_TLS=1, or listen on 127.0.0.1.',
		})
	}
	const data = resolve(env.REPRIEVE_DATA)
	const control = env.DATABASE_URL
	return Object.freeze({
		urls: {
			control,
			plan: env.REPRIEVE_PLAN_URL ?? control,
			delete: env.REPRIEVE_DELETE_URL ?? control,
			restore: env.REPRIEVE_RESTORE_URL ?? control,
			owner: env.REPRIEVE_OWNER_URL ?? control,
		},
		host: env.REPRIEVE_HOST,
		port: env.REPRIEVE_PORT,
		data,
		vault: env.REPRIEVE_VAULT ?? pathToFileURL(join(data, 'vault')).href,
		vaultKey: env.REPRIEVE_VAULT_KEY,
		adminKey: env.REPRIEVE_ADMIN_KEY,
		signingKey: env.REPRIEVE_SIGNING_KEY,
		slotBytes: env.REPRIEVE_SLOT_LIMIT,
		rateLimit: env.REPRIEVE_RATE_LIMIT,
		planRows: env.REPRIEVE_PLAN_ROWS,
		approvalRows: env.REPRIEVE_APPROVAL_ROWS,
		logLevel: env.REPRIEVE_LOG_LEVEL,
	})
}

function withSecretFiles(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
	const names = [...secrets, ...Object.keys(environment.shape).filter((name) => name.endsWith('_URL'))]
	const known = Object.fromEntries(Object.keys(environment.shape).map((name) => [name, env[name] || undefined]))
	const read = names.map((name) => [name, readSecret(env, name, (path) => readFileSync(path, 'utf8'))])
	return { ...known, ...Object.fromEntries(read) }
}
