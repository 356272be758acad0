import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)
const workspace = dirname(fileURLToPath(new URL('../../package.json', import.meta.url)))

const program = `
import { createClient, type Plan, ReprieveError } from '@reprieve/client'
import { tagged } from '@reprieve/client/postgres'

const client = createClient({ url: 'http://127.0.0.1:1', apiKey: 'none', retries: 0 })
export async function neverCalled(): Promise<Plan> {
	// @ts-expect-error the router's types came along
	await client.trpc.plans.get.query({ identifier: 'x' })
	// @ts-expect-error a plan has no such field
	;(await client.trpc.plans.get.query({ id: 'x' })).nothing
	const run = await client.cleanup.stale({ table: 'sessions', column: 'last_seen_at', olderThan: 'P90D' })
	for await (const state of run.progress()) console.log(state.deleted.toFixed())
	return client.plans.create({ kind: 'match', table: 't', where: { and: [] } })
}
const refused: unknown = await client.system.status().catch((error: unknown) => error)
const isOurs = refused instanceof ReprieveError && refused.code === 'UNAVAILABLE'
console.log(isOurs && typeof tagged === 'function' ? 'works' : refused)
`

test('the packed client installs anywhere, typechecks and runs', { timeout: 240_000 }, async () => {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-client-'))
	try {
		const tarball = join(folder, 'client.tgz')
		const client = join(workspace, 'packages/client')
		await run('pnpm', ['pack', '--out', tarball], { cwd: client })
		await run('pnpm', ['exec', 'publint', 'run', '--strict', tarball], { cwd: client })
		await run('pnpm', ['exec', 'attw', tarball, '--profile', 'esm-only'], { cwd: client })
		await install(folder)
		await run('pnpm', ['exec', 'tsc', '-p', folder], { cwd: workspace })
		const { stdout } = await run(process.execPath, [join(folder, 'program.ts')], { cwd: folder })
		expect(stdout.trim()).toBe('works')
	} finally {
		await rm(folder, { recursive: true, force: true })
	}
})

async function install(folder: string): Promise<void> {
	const manifest = { private: true, type: 'module', dependencies: { '@reprieve/client': 'file:./client.tgz' } }
	await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
	await writeFile(join(folder, 'program.ts'), program)
	const compilerOptions = {
		module: 'nodenext',
		target: 'esnext',
		lib: ['esnext', 'dom'],
		types: [],
		strict: true,
		noEmit: true,
		skipLibCheck: true,
	}
	await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }))
	await run('pnpm', ['install', '--prefer-offline', '--ignore-workspace'], { cwd: folder })
}
