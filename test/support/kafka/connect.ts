import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../wait.ts'
import { jars } from './jars.ts'
import { freePort, startJava, tail } from './java.ts'

export type ConnectWorker = AsyncDisposable & {
	/** Address of its REST, with a slash at its end. */
	url: string
	readonly pid: number
	stop(): Promise<void>
	/** SIGKILL. */
	kill(): Promise<void>
	/** Starts it again, without its connectors but with their offsets; waits until its REST answers. */
	restart(): Promise<void>
	putConnector(name: string, config: Record<string, string>): Promise<void>
	deleteConnector(name: string): Promise<void>
	/** The end of its log. */
	log(): string
}

/** A standalone Kafka Connect worker with Debezium's PostgreSQL connector; waits until its REST answers. */
export async function startConnect({ brokers }: { brokers: string[] }): Promise<ConnectWorker> {
	const [lib, plugin] = [await jars('connect'), await jars('debezium')]
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-connect-'))
	const [file, log, port] = [join(folder, 'worker.properties'), join(folder, 'connect.log'), await freePort()]
	await mkdir(join(folder, 'plugins'))
	await symlink(plugin, join(folder, 'plugins', 'debezium-postgres'))
	await writeFile(file, workerProperties(folder, brokers, port))
	const main = 'org.apache.kafka.connect.cli.ConnectStandalone'
	const start = () => startJava({ jars: lib, main, args: [file], log, heap: 512 })
	const url = `http://127.0.0.1:${port}/`
	let worker = start()
	const answering = () =>
		until(
			() => {
				if (worker.hasEnded()) throw new Error(`Kafka Connect ended:\n${tail(log)}`)
				return fetch(`${url}connectors`).then(
					(response) => response.ok,
					() => false,
				)
			},
			'Kafka Connect to answer',
			60_000,
		)
	await answering()
	return {
		url,
		get pid() {
			return worker.pid
		},
		stop: () => worker.end('SIGTERM'),
		kill: () => worker.end('SIGKILL'),
		async restart() {
			await worker.end('SIGTERM')
			worker = start()
			await answering()
		},
		putConnector: (name, config) => ask(url, name, 'PUT', config),
		deleteConnector: (name) => ask(url, name, 'DELETE'),
		log: () => tail(log),
		async [Symbol.asyncDispose]() {
			await worker.end('SIGKILL')
			await rm(folder, { recursive: true, force: true })
		},
	}
}

async function ask(url: string, name: string, method: 'PUT' | 'DELETE', config?: Record<string, string>) {
	const path = `connectors/${name}${config ? '/config' : ''}`
	const body = config && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(config) }
	const response = await fetch(new URL(path, url), { method, ...body })
	if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
}

function workerProperties(folder: string, brokers: string[], port: number): string {
	return `bootstrap.servers=${brokers.join(',')}
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter.schemas.enable=false
offset.storage.file.filename=${join(folder, 'offsets.dat')}
offset.flush.interval.ms=1000
plugin.path=${join(folder, 'plugins')}
plugin.discovery=service_load
listeners=http://127.0.0.1:${port}
rest.advertised.host.name=127.0.0.1
topic.creation.enable=true
connector.client.config.override.policy=All
config.providers=file
config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider
`
}
