import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Problem, Role } from '@reprieve/contracts'
import { type Config, type Service, startService } from '@reprieve/service'
import { parseConfig, type Sidecar, startSidecar } from '@reprieve/sidecar'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { type Logger, pino } from 'pino'
import type { TestDatabase } from '../support/postgres.ts'

export const adminKey = 'test-admin-key-0123456789-0123456789'

export type Answer<T = Record<string, unknown>> = { status: number; headers: Headers; body: T }

export type TestService = AsyncDisposable & {
	url: string
	service: Service
	/** A call with the admin key unless `key` says otherwise (null for none). */
	call<T = Record<string, unknown>>(
		method: string,
		path: string,
		body?: unknown,
		options?: { key?: string | null; headers?: Record<string, string> },
	): Promise<Answer<T>>
	/** The secret of a new key. */
	keyFor(role: Role, tables?: string[]): Promise<string>
}

/** A service on a free port over a database, with a vault in a folder of its own; with `capture`, deletes are archived. */
export async function startTestService(
	database: TestDatabase,
	{ capture = false, log, ...config }: Partial<Config> & { capture?: boolean; log?: Logger } = {},
): Promise<TestService> {
	const data = await mkdtemp(join(tmpdir(), 'reprieve-service-'))
	const settings = { ...configFor(database.url, data), ...config }
	const vault = openVaultAt(settings.vault, database.name)
	const service = await startService(settings, { vault, ...(log && { log }) })
	const sidecar = capture ? await startCapture(database.url, vault) : undefined
	const call: TestService['call'] = async (method, path, body, { key = adminKey, headers = {} } = {}) => {
		const response = await fetch(`${service.url}${path}`, {
			method,
			headers: {
				...(key === null ? {} : { authorization: `Bearer ${key}` }),
				...(body === undefined ? {} : { 'content-type': 'application/json' }),
				...headers,
			},
			body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
		})
		const text = await response.text()
		const isJson = /json/.test(response.headers.get('content-type') ?? '')
		return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : (text as never) }
	}
	return {
		url: service.url,
		service,
		call,
		async keyFor(role, tables) {
			const { body } = await call<{ secret: string }>('POST', '/api/v1/tokens', { name: role, role, tables })
			return body.secret
		},
		async [Symbol.asyncDispose]() {
			await sidecar?.stop()
			await service.stop()
			await vault.close()
			await rm(data, { recursive: true, force: true })
		},
	}
}

async function startCapture(databaseUrl: string, vault: Vault): Promise<Sidecar> {
	const { promise: streaming, resolve } = Promise.withResolvers<void>()
	const config = parseConfig({ databaseUrl, upkeepMs: 0, acknowledgeMs: 0 })
	const parts = { vault, log: pino({ level: 'silent' }) }
	const sidecar = startSidecar(config, { ...parts, onState: (state) => state === 'streaming' && resolve() })
	await Promise.race([streaming, sidecar.ended])
	return sidecar
}

export function configFor(url: string, data: string): Config {
	return {
		urls: { control: url, plan: url, delete: url, restore: url, owner: url },
		host: '127.0.0.1',
		port: 0,
		data,
		vault: pathToFileURL(join(data, 'vault')).href,
		adminKey,
		slotBytes: 2 ** 30,
		rateLimit: 100_000,
		planRows: 10_000_000,
		approvalRows: 0,
		logLevel: 'silent',
	}
}

/** The problem of a refusal. */
export function problemOf(answer: Answer): Problem {
	return answer.body as unknown as Problem
}
