import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { launch, openFolder, type Started } from '../e2e/launcher.ts'
import { freshDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'

/** Makes a promise that fails, and that nobody waits for, when the process gets a signal. */
const failing = `data:text/javascript,process.on('SIGUSR2', () => { Promise.reject(new Error('nobody waits for this')) })`

test('service and sidecar log what nobody handled as fatal, with its stack, before they end', async () => {
	await using database = await freshDatabase()
	await using folder = await openFolder()
	const env = {
		DATABASE_URL: database.url,
		REPRIEVE_DATA: folder.path,
		REPRIEVE_VAULT: pathToFileURL(`${folder.path}/vault`).href,
		REPRIEVE_PORT: '0',
		REPRIEVE_LOG_LEVEL: 'info',
	}
	const program = (app: string) => launch(['--import', failing, `apps/${app}/src/main.ts`], env)
	await using service = program('service')
	await until(() => service.output().includes('service started'), 'the service')
	await using sidecar = program('sidecar')
	const isStreaming = () => database.sql`select from reprieve.capture_state where state = 'streaming'`
	await until(async () => (await isStreaming()).length > 0, 'the sidecar')
	for (const one of [sidecar, service]) expect(await endOf(one)).toMatchObject({ exit: 1, fatal: [said] })
})

const said = {
	origin: 'unhandledRejection',
	err: { message: 'nobody waits for this', stack: expect.stringContaining('at process.<anonymous>') },
}

/** How a program ends, and its log's fatal lines, when a promise fails in it. */
async function endOf(program: Started): Promise<{ exit: number | string; fatal: unknown[] }> {
	program.child.kill('SIGUSR2')
	const exit = await program.ended
	const lines = program.output().split('\n')
	const logged = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as { level: number })
	return { exit, fatal: logged.filter(({ level }) => level === 60) }
}
