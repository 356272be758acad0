import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ReprieveError, readSecret } from '@reprieve/contracts'
import { readConfig as readServiceConfig, type Config as ServiceConfig } from '@reprieve/service/config'
import { z } from 'zod'

type Environment = Readonly<Record<string, string | undefined>>

/** What one command that runs everything needs to know; read once in main. */
export type Config = {
	/** Folder for everything embedded. */
	data: string
	/** Somebody's own database; absent: the embedded one. */
	databaseUrl?: string
	/** For the replication stream of somebody's own database: direct, not through a pooler. */
	captureUrl?: string
	/** Change somebody's own database without asking. */
	yes: boolean
	/** Leave the lineage that capture cannot continue, before capture starts. */
	adopt: boolean
	/** Publications of others that may take in reprieve's own tables. */
	acknowledged: string[]
	/** The service's part, once it is known which database it serves. */
	service(databaseUrl: string): ServiceConfig
}

const url = z.string().regex(/^postgres(ql)?:\/\//)
const environment = z.object({
	REPRIEVE_DATA: z.string().min(1).default('.reprieve'),
	DATABASE_URL: url.optional(),
	REPRIEVE_CAPTURE_URL: url.optional(),
})

const options = {
	yes: { type: 'boolean', default: false },
	adopt: { type: 'boolean', default: false },
	'acknowledge-publication': { type: 'string', multiple: true, default: [] as string[] },
} as const

/** Reads environment and arguments. Throws INVALID that names the variable or argument, never a secret's value. */
export function readConfig(env: Environment, args: string[]): Config {
	const given = parseArguments(args)
	const parsed = environment.safeParse({
		REPRIEVE_DATA: env.REPRIEVE_DATA || undefined,
		DATABASE_URL: readSecret(env, 'DATABASE_URL', readText),
		REPRIEVE_CAPTURE_URL: readSecret(env, 'REPRIEVE_CAPTURE_URL', readText),
	})
	if (!parsed.success) {
		const names = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')
		throw new ReprieveError('INVALID', `configuration: ${names} is not as documented`)
	}
	const { REPRIEVE_DATA: data, DATABASE_URL: databaseUrl, REPRIEVE_CAPTURE_URL: captureUrl } = parsed.data
	return Object.freeze({
		data,
		databaseUrl,
		captureUrl,
		yes: given.yes,
		adopt: given.adopt,
		acknowledged: given['acknowledge-publication'],
		service: (served: string) =>
			readServiceConfig({ ...env, DATABASE_URL: served, DATABASE_URL_FILE: undefined, REPRIEVE_DATA: data }),
	})
}

function parseArguments(args: string[]) {
	try {
		return parseArgs({ args, options, strict: true }).values
	} catch (cause) {
		throw new ReprieveError('INVALID', (cause as Error).message, { cause, hint: 'See `pnpm start --help`.' })
	}
}

function readText(path: string): string {
	return readFileSync(path, 'utf8')
}
