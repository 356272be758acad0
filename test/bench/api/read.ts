import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { arrayLiteral } from '@reprieve/postgres'
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
const cannon = fileURLToPath(new URL('./fire.ts', import.meta.url))

type Server = { origin: string; started: Started }

/**
 * A run by id over REST, `seconds` a round, beside a bare server of node:http with the same bytes; each a process of its own.
 * Every connection asks for the same run, or each for one of its own.
 */
export async function benchRead(seconds: number, rounds: number, asked: 'same' | 'each'): Promise<Outcome> {
	await using ground = await startGround()
	await using stack = new AsyncDisposableStack()
	const ids = await copyRun(ground, await makeRun(ground))
	const paths = ids.map((id) => `/api/v1/runs/${asked === 'same' ? ids[0] : id}`)
	const own = await startServer([...serviceFlags, service], {
		...{ DATABASE_URL: ground.url, REPRIEVE_DATA: ground.folder, REPRIEVE_VAULT: ground.vaultUrl },
		...{ REPRIEVE_ADMIN_KEY: adminKey, REPRIEVE_RATE_LIMIT: '1000000000' },
	})
	stack.use(own.started)
	const answered = await fetch(own.origin + paths[0], { headers: { authorization: `Bearer ${adminKey}` } })
	const other = await startServer([bare], {}, await answered.text())
	stack.use(other.started)
	const pid = ({ started }: Server) => started.child.pid ?? 0
	const what = asked === 'same' ? 'a run by id' : 'runs by id, one for each connection'
	return await hold({
		name: `api-read${asked === 'same' ? '' : '-each'}: ${what}, ${connections} connections for ${seconds} s / bare node:http with the same bytes`,
		unit: 'requests',
		rounds,
		ours: {
			command: `service; autocannon, ${connections} connections, /api/v1/runs/{id}`,
			processes: () => ({ service: pid(own), ...ground.processes }),
			run: () => fire(own.origin, paths, seconds),
		},
		yardstick: {
			command: `node:http; autocannon, ${connections} connections`,
			processes: () => ({ 'node:http': pid(other) }),
			run: () => fire(other.origin, paths, seconds),
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

/** As many runs as there are connections, all alike. */
async function copyRun({ sql }: Ground, id: string): Promise<string[]> {
	const ids = Array.from({ length: connections - 1 }, () => crypto.randomUUID())
	await sql`
		insert into reprieve.runs select (jsonb_populate_record(r, jsonb_build_object('id', c.id, 'plan_id', c.id))).*
		from reprieve.runs r, unnest(${arrayLiteral(ids)}::text::text[]) c(id) where r.id = ${id}`
	return [id, ...ids]
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
async function fire(origin: string, paths: string[], seconds: number): Promise<{ rows: number; seconds: number }> {
	const { stdout } = await promisify(execFile)(process.execPath, [cannon, origin, adminKey, `${seconds}`, ...paths])
	const result = JSON.parse(stdout) as { '2xx': number; non2xx: number; errors: number; duration: number }
	if (result.non2xx + result.errors > 0) throw new Error(`${result.non2xx} refused, ${result.errors} errors`)
	return { rows: result['2xx'], seconds: result.duration }
}
