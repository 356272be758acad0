import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/kafka/java.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { type Container, type Image, runContainer } from './image.ts'
import { type ComposeService, openDeployment } from './project.ts'

/** A deployment on servers of the tests: a database, a vault, the service's container, and the others as they are asked for. */
export type Stack = AsyncDisposable & {
	/** Folder in the place of the containers' volumes and secrets. */
	folder: string
	adminKey: string
	database: TestDatabase
	service: Container
	/** Runs a service of docker-compose.yml by its exact command. */
	run(name: string): Promise<Container>
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
	for (const name of ['secrets', 'data', 'run', 'vault']) await ownFolder(join(folder, name))
	for (const [name, value] of Object.entries({ ...secrets, 'database-url': database.url }))
		await writeFile(join(folder, 'secrets', name), value)
	const port = await freePort()
	const swaps = {
		...options.swaps,
		's3://vault/reprieve': `file://${folder}/vault`,
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
	const service = opened.use(await run('service'))
	await service.healthy()
	const started = opened.move()
	return {
		folder,
		adminKey: secrets['admin-key'] as string,
		...{ database, service, run },
		ask: (path, key) => fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${key}` } }),
		[Symbol.asyncDispose]: () => started.disposeAsync(),
	}
}

/** As the images have it: the user of the containers owns it. */
async function ownFolder(path: string): Promise<void> {
	await mkdir(path)
	if (process.getuid?.() === 0) await chown(path, 1000, 1000)
}
