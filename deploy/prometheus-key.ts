/** `prometheus-key.ts FILE`: puts a viewer's key into the file, unless the one in it still opens /metrics. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

const file = process.argv[2] as string
const { REPRIEVE_URL: service, REPRIEVE_API_KEY_FILE: adminKey } = process.env as Record<string, string>

if (await isValid()) {
	console.log(`${file} holds a valid key`)
} else {
	writeFileSync(`${file}.new`, await createKey())
	renameSync(`${file}.new`, file)
	console.log(`made a key for Prometheus: ${file}`)
}

async function isValid(): Promise<boolean> {
	const key = readText(file)
	if (key === undefined) return false
	const { status } = await ask('/metrics', key)
	if (status === 200 || status === 401) return status === 200
	throw new Error(`/metrics answered ${status}`)
}

async function createKey(): Promise<string> {
	const name = `prometheus ${new Date().toISOString()}`
	const answer = await ask('/api/v1/tokens', readText(adminKey as string) ?? '', { name, role: 'viewer' })
	const body = (await answer.json()) as { secret?: string; detail?: string }
	if (!body.secret) throw new Error(`no key: ${answer.status} ${body.detail}`)
	return body.secret
}

function ask(path: string, key: string, body?: Record<string, string>): Promise<Response> {
	const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
	return fetch(`${service}${path}`, { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) })
}

function readText(path: string): string | undefined {
	try {
		return readFileSync(path, 'utf8').trim()
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
		throw error
	}
}
