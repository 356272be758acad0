import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { findPrograms } from '../support/python.ts'
import { adminKey, startTestService } from '../surfaces/support.ts'

const folder = join(import.meta.dirname, 'schemathesis')

/** The tables that the document's examples name. */
const shop = `
	create table public.customers (id int primary key, username text, email text, phone text, status text, country text,
		created_at timestamptz default now());
	create table public.sessions (id int primary key, seen_at timestamptz);
	create table public.orders (id int primary key);
	create table public.order_lines (id int primary key, order_id int);
	insert into public.customers (id, username, email, status) select n, 'u' || n / 2, n || '@example.com', 'test'
		from generate_series(1, 50) n;
	insert into public.sessions select n, now() - interval '1 year' from generate_series(1, 50) n;
	insert into public.order_lines select n, n from generate_series(1, 50) n`

test('whatever the document allows, or just does not, is answered as the document says', {
	timeout: 300_000,
}, async (context) => {
	const programs = await findPrograms('schemathesis', join(folder, 'requirements.txt'))
	if (!programs) return context.skip()
	await using database = await freshDatabase()
	await database.sql.unsafe(shop).simple()
	await using service = await startTestService(database, { capture: true })
	const tables = ['customers', 'sessions', 'orders', 'order_lines']
	await service.call('POST', '/api/v1/tables/protect?wait=30', { tables })
	const revoke = '/api/v1/tokens/{id}/revoke'
	// Apart and last: it may come upon the key that it is called with.
	await check(join(programs, 'schemathesis'), service.url, ['--max-time', '75', '--exclude-path', revoke])
	await check(join(programs, 'schemathesis'), service.url, [
		'--phases',
		'fuzzing',
		'--max-examples',
		'20',
		'--include-path',
		revoke,
	])
})

/** Runs schemathesis over the served document; its findings are the message of the failure. */
async function check(program: string, url: string, choice: string[]): Promise<void> {
	const home = await mkdtemp(join(tmpdir(), 'reprieve-schemathesis-'))
	const args = [
		...['--config-file', join(folder, 'schemathesis.toml'), 'run', `${url}/api/v1/openapi.json`, ...choice],
		...['--header', `Authorization: Bearer ${adminKey}`, '--seed', '1', '--workers', '1', '--request-timeout', '90'],
		...['--checks', 'all', '--exclude-checks', 'positive_data_acceptance', '--continue-on-failure'],
	]
	const env = { PATH: process.env.PATH, HOME: home, NO_COLOR: '1', NO_PROXY: '127.0.0.1' }
	try {
		const child = spawn(program, args, { cwd: home, stdio: ['ignore', 'pipe', 'pipe'], env })
		let output = ''
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
		const [code] = await once(child, 'close')
		expect(code, output).toBe(0)
		expect(output).toMatch(/[1-9]\d* generated/)
	} finally {
		await rm(home, { recursive: true, force: true })
	}
}
