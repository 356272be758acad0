import { chmod, chown, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/kafka/java.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { gatewayProgram } from '../support/s3/versitygw.ts'
import { until } from '../support/wait.ts'
import { type Container, type Image, runContainer } from './image.ts'
import { root } from './programs.ts'
import { type ComposeService, openDeployment, type Project } from './project.ts'

/** A deployment on servers of the tests: a database, a vault, the service's container, and the others as they are asked for. */
export type Stack = AsyncDisposable & {
	/** Folder in the place of the containers' volumes and secrets. */
	folder: string
	adminKey: string
	database: TestDatabase
	service: Container
	/** Runs a service of docker-compose.yml by its exact command. */
	run(name: string): Promise<Container>
	/** Runs the command line as `docker compose exec service` does. */
	reprieve(...args: string[]): Promise<{ code: number | string; output: string }>
	/** Asks the service. */
	ask(path: string, key: string): Promise<Response>
}

export type StackOptions = {
	images: Record<string, Image>
	/** What stands in the place of addresses that only the containers' network has. */
	swaps: Record<string, string>
}

/** Starts the service's container with a fresh .env and waits for its health check. */
export async function openStack(options: StackOptions): Promise<Stack> {
	await using opened = new AsyncDisposableStack()
	const deployment = opened.use(await openDeployment())
	await deployment.generate()
	const { project, secrets } = await deployment.load({ COMPOSE_PROFILES: 'own,debezium' })
	const database = opened.use(await freshDatabase())
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-containers-'))
	opened.defer(() => rm(folder, { recursive: true, force: true }))
	await chmod(folder, 0o755)
	for (const name of ['secrets', 'data', 'run', 's3']) await ownFolder(join(folder, name))
	for (const [name, value] of Object.entries({ ...secrets, 'database-url': database.url }))
		await writeFile(join(folder, 'secrets', name), value)
	const port = await freePort()
	const swaps = {
		...options.swaps,
		's3:7070': await startS3(project, join(folder, 's3'), opened),
		'/run/secrets': join(folder, 'secrets'),
		'/run/reprieve': join(folder, 'run'),
		'/var/lib/reprieve': join(folder, 'data'),
		'//service:': '//127.0.0.1:',
		'4400': String(port),
	}
	const run = async (name: string) => {
		const service = project.services[name] as ComposeService
		const image = options.images[service.build?.target as string] as Image
		return runContainer(image, service, { ...swaps, '4401': String(await freePort()) })
	}
	const reprieve = async (...args: string[]) => {
		const url = ['--url', `http://127.0.0.1:${port}`, '--key-file', '/run/secrets/admin-key']
		const entrypoint = ['node', 'apps/cli/src/main.ts', ...url, ...args]
		const one = { ...(project.services.service as ComposeService), entrypoint, environment: {} }
		const ran = runContainer(options.images.service as Image, one, swaps)
		return { code: await ran.ended, output: ran.output() }
	}
	const service = opened.use(await run('service'))
	await service.healthy()
	const started = opened.move()
	return {
		folder,
		adminKey: secrets['admin-key'] as string,
		...{ database, service, run, reprieve },
		ask: (path, key) => fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${key}` } }),
		[Symbol.asyncDispose]: () => started.disposeAsync(),
	}
}

/** The S3 server by its exact command, and the vault's bucket by the container that makes it. Answers its address. */
async function startS3(project: Project, folder: string, opened: AsyncDisposableStack): Promise<string> {
	const address = `127.0.0.1:${await freePort()}`
	for (const name of ['iam', 'versions', 'objects']) await ownFolder(join(folder, name))
	await copyFile(await gatewayProgram(), join(folder, 'versitygw'))
	const stage = { from: '', env: {}, entrypoint: ['versitygw'], runs: [], copies: [] }
	const image = { app: folder, bin: folder, stage, [Symbol.asyncDispose]: async () => {} }
	const swaps = {
		'=:7070': `=${address}`,
		's3:7070': address,
		'/var/lib/versitygw': folder,
		'/deploy/': `${root}/deploy/`,
	}
	opened.use(runContainer(image, project.services.s3 as ComposeService, swaps))
	const isHealthy = () =>
		fetch(`http://${address}/health`).then(
			(response) => response.ok,
			() => false,
		)
	await until(isHealthy, 'the S3 server to be healthy')
	for (const time of ['first', 'second']) {
		const bucket = runContainer(image, project.services.bucket as ComposeService, swaps)
		if ((await bucket.ended) !== 0) throw new Error(`making the bucket a ${time} time: ${bucket.output()}`)
	}
	return address
}

/** As the images have it: the user of the containers owns it. */
async function ownFolder(path: string): Promise<void> {
	await mkdir(path)
	if (process.getuid?.() === 0) await chown(path, 1000, 1000)
}
