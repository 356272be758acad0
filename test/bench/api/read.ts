import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '@reprieve/standalone/embedded'
import { launch, type Started } from '../../e2e/launcher.ts'
import { until } from '../../support/wait.ts'
import { hold, type Outcome } from '../contest.ts'
import { adminKey, fillTable, type Ground, makeTable, serviceFlags, startGround } from '../ground.ts'
import { planRows } from '../planned.ts'

const connections = 64
const rowsOfRun = 100

const service = fileURLToPath(new URL('../../../apps/service/src/main.ts', import.meta.url))
const bare = fileURLToPath(new URL('./bare.ts', import.meta.url))
const autocannon = fileURLToPath(import.meta.resolve('autocannon'))

type Server = { origin: string; started: Started }

/** A run by id over REST, `seconds` a round, beside a bare server of node:http with the same bytes; each a process of its own. */
export async function benchRead(seconds: number, rounds: number): Promise<Outcome> {
	await using ground = await startGround()
	await using stack = new AsyncDisposableStack()
	const path = `/api/v1/runs/${await makeRun(ground)}`
	const own = await startServer([...serviceFlags, service], {
		...{ DATABASE_URL: ground.url, REPRIEVE_DATA: ground.folder, REPRIEVE_VAULT: ground.vaultUrl },
		...{ REPRIEVE_ADMIN_KEY: adminKey, REPRIEVE_RATE_LIMIT: '1000000000' },
	})
	stack.use(own.started)
	const answered = await fetch(own.origin + path, { headers: { authorization: `Bearer ${adminKey}` } })
	const other = await startServer([bare], {}, await answered.text())
	stack.use(other.started)
	const pid = ({ started }: Server) => started.child.pid ?? 0
	return await hold({
		name: `api-read: a run by id, ${connections} connections for ${seconds} s / bare node:http with the same bytes`,
		unit: 'requests',
		rounds,
		ours: {
			command: `service; autocannon -c ${connections} ${path.replace(/[^/]+$/, '{id}')}`,
			processes: () => ({ service: pid(own), ...ground.processes }),
			run: () => fire(own.origin + path, seconds),
		},
		yardstick: {
			command: `node:http; autocannon -c ${connections}`,
			processes: () => ({ 'node:http': pid(other) }),
			run: () => fire(other.origin + path, seconds),
		},
	})
}

async function makeRun({ sql, client }: Ground): Promise<string> {
	await makeTable(sql, 'planned')
	await client.tables.protect({ tables: ['planned'], wait: 60 })
	await fillTable(sql, 'planned', rowsOfRun)
	const planId = await planRows(client, { kind: 'match', table: 'planned', where: { and: [] } }, rowsOfRun)
	const job = await client.runs.start({ planId, reason: 'bench' })
	return (await job.finished()).id
}

async function startServer(program: string[], env: Record<string, string>, body?: string): Promise<Server> {
	const port = await freePort()
	const args = body === undefined ? program : [...program, String(port), body]
	const started = launch(args, { ...env, REPRIEVE_PORT: String(port) })
	const origin = `http://127.0.0.1:${port}`
	const answers = () =>
		fetch(`${origin}/healthz`).then(
			({ ok }) => ok,
			() => false,
		)
	await until(answers, 'the server to answer', 60_000)
	return { origin, started }
}

/** The load comes from a process of its own. Throws when anything but 200 is answered. */
async function fire(url: string, seconds: number): Promise<{ rows: number; seconds: number }> {
	const header = `authorization=Bearer ${adminKey}`
	const options = ['-c', `${connections}`, '-d', `${seconds}`, '-H', header, '--json', url]
	const { stdout } = await promisify(execFile)(process.execPath, [autocannon, ...options])
	const result = JSON.parse(stdout) as { '2xx': number; non2xx: number; errors: number; duration: number }
	if (result.non2xx + result.errors > 0) throw new Error(`${result.non2xx} refused, ${result.errors} errors`)
	return { rows: result['2xx'], seconds: result.duration }
}
