import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Problem, Role } from '@reprieve/contracts'
import { type Config, type Service, startService } from '@reprieve/service'
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

/** A service on a free port over a database, with a vault in a folder of its own. */
export async function startTestService(database: TestDatabase, config: Partial<Config> = {}): Promise<TestService> {
	const data = await mkdtemp(join(tmpdir(), 'reprieve-service-'))
	const service = await startService({ ...configFor(database.url, data), ...config })
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
			await service.stop()
			await rm(data, { recursive: true, force: true })
		},
	}
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
