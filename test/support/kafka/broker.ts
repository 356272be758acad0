import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { makeCertificate } from '../certificate.ts'
import { until } from '../wait.ts'
import { jars } from './jars.ts'
import { freePort, type JavaProcess, runJava, startJava, tail } from './java.ts'

export type BrokerOptions = {
	/** More lines of server.properties, or others. */
	settings?: Record<string, string>
	/** Folder for the data instead of a fresh one. */
	dataFolder?: string
	/** Adds a SASL_SSL listener with one SCRAM-SHA-512 user. */
	secure?: boolean
}

export type Broker = AsyncDisposable & {
	/** host:port of the plaintext listener. */
	brokers: string[]
	/** The SASL_SSL listener, its user and the authority (PEM); null unless asked for. */
	secure: { brokers: string[]; ca: string; username: string; password: string } | null
	dataFolder: string
	readonly pid: number
	/** False once the process has ended, also of itself. */
	isRunning(): boolean
	/** SIGTERM and, unless it is restarted, the end. */
	stop(): Promise<void>
	/** SIGKILL. */
	kill(): Promise<void>
	/** Starts it again on its data and its ports, ended or not; waits until it answers. */
	restart(): Promise<void>
	/** The end of its log. */
	log(): string
}

/** A broker of its own on free loopback ports; waits until it answers. Heap 384 MB, topics are not made by themselves. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
	const [controller, port] = [await freePort(), await freePort()]
	const answers = (broker: Broker) => answering(broker.brokers, 1, broker)
	const broker = await startNode({ ...options, node: 1, voters: [controller], port, clusterId: clusterId(), answers })
	await answers(broker)
	return broker
}

export type Cluster3 = AsyncDisposable & { brokers: string[]; nodes: Broker[]; stop(): Promise<void> }

/** Three nodes, replication 3 and min.insync.replicas 2 by default. */
export async function startCluster3(settings: Record<string, string> = {}): Promise<Cluster3> {
	const voters = [await freePort(), await freePort(), await freePort()]
	const ports = [await freePort(), await freePort(), await freePort()]
	const brokers = ports.map((port) => `127.0.0.1:${port}`)
	const answers = (broker: Broker) => answering(brokers, 3, broker)
	const shared = { voters, clusterId: clusterId(), settings: { ...replicated, ...settings }, answers }
	const nodes = await Promise.all(ports.map((port, at) => startNode({ ...shared, node: at + 1, port })))
	await answering(brokers, 3, ...nodes)
	const stop = async () => void (await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]())))
	return { brokers, nodes, stop, [Symbol.asyncDispose]: stop }
}

type NodeOptions = BrokerOptions & {
	node: number
	/** Ports of the controllers, the first is node 1's. */
	voters: number[]
	port: number
	clusterId: string
	/** Waits until a restarted node serves. */
	answers(broker: Broker): Promise<void>
}

async function startNode(options: NodeOptions): Promise<Broker> {
	const lib = await jars('broker')
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-kafka-'))
	const dataFolder = options.dataFolder ?? join(folder, 'data')
	const file = join(folder, 'server.properties')
	const log = join(folder, 'broker.log')
	const secure = options.secure ? await makeSecure(folder) : null
	await mkdir(dataFolder, { recursive: true })
	const settings = { ...serverSettings(options, dataFolder, secure?.port), ...secure?.settings, ...options.settings }
	await writeFile(file, properties(settings))
	const user = secure ? ['-S', `SCRAM-SHA-512=[name=${secure.username},password=${secure.password}]`] : []
	const format = ['format', '-t', options.clusterId, '-c', file, ...user]
	await runJava({ jars: lib, main: 'kafka.tools.StorageTool', args: format, log })
	const start = () => startJava({ jars: lib, main: 'kafka.Kafka', args: [file], log })
	let running: JavaProcess = start()
	const broker: Broker = {
		brokers: [`127.0.0.1:${options.port}`],
		secure,
		dataFolder,
		get pid() {
			return running.pid
		},
		isRunning: () => !running.hasEnded(),
		stop: () => running.end('SIGTERM'),
		kill: () => running.end('SIGKILL'),
		async restart() {
			await running.end('SIGTERM')
			running = start()
			await options.answers(broker)
		},
		log: () => tail(log),
		async [Symbol.asyncDispose]() {
			await running.end('SIGKILL')
			await rm(folder, { recursive: true, force: true })
		},
	}
	return broker
}

async function answering(brokers: string[], nodes: number, ...started: Broker[]): Promise<void> {
	const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 }, connectionTimeout: 1_000 })
	const answers = async () => {
		const ended = started.find((node) => !node.isRunning())
		if (ended) throw new Error(`the broker ended:\n${ended.log()}`)
		const admin = kafka.admin()
		try {
			await admin.connect()
			return (await admin.describeCluster()).brokers.length >= nodes
		} catch {
			return false
		} finally {
			await admin.disconnect().catch(() => {})
		}
	}
	await until(answers, `${nodes} broker(s) to answer`, 60_000)
}

function serverSettings({ node, voters, port }: NodeOptions, dataFolder: string, securePort?: number) {
	const client = securePort ? `,CLIENT://localhost:${securePort}` : ''
	const listeners = `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${voters[node - 1]}${client}`
	return {
		'process.roles': 'broker,controller',
		'node.id': `${node}`,
		'controller.quorum.voters': voters.map((voter, at) => `${at + 1}@127.0.0.1:${voter}`).join(','),
		listeners,
		'advertised.listeners': listeners,
		'controller.listener.names': 'CONTROLLER',
		'inter.broker.listener.name': 'PLAINTEXT',
		'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENT:SASL_SSL',
		'log.dirs': dataFolder,
		...small,
	}
}

const small = {
	'default.replication.factor': '1',
	'min.insync.replicas': '1',
	'offsets.topic.replication.factor': '1',
	'transaction.state.log.replication.factor': '1',
	'transaction.state.log.min.isr': '1',
	'share.coordinator.state.topic.replication.factor': '1',
	'share.coordinator.state.topic.min.isr': '1',
	'num.partitions': '1',
	'offsets.topic.num.partitions': '1',
	'transaction.state.log.num.partitions': '1',
	'share.coordinator.state.topic.num.partitions': '1',
	'group.initial.rebalance.delay.ms': '0',
	'num.network.threads': '2',
	'num.io.threads': '4',
	'log.cleaner.threads': '1',
	'log.cleaner.dedupe.buffer.size': '16777216',
	'auto.create.topics.enable': 'false',
	'message.max.bytes': '16777216',
	'replica.fetch.max.bytes': '16777216',
}

const replicated = {
	'default.replication.factor': '3',
	'min.insync.replicas': '2',
	'offsets.topic.replication.factor': '3',
	'transaction.state.log.replication.factor': '3',
	'transaction.state.log.min.isr': '2',
}

/** A self-signed certificate for localhost, a user, and the settings of a listener CLIENT that asks for both. */
async function makeSecure(folder: string) {
	const [port, username, password] = [await freePort(), 'archiver', randomBytes(12).toString('hex')]
	const { key, certificate } = makeCertificate(folder)
	const store = join(folder, 'store.p12')
	const bundle = ['pkcs12', '-export', '-inkey', key, '-in', certificate, '-out', store, '-passout', `pass:${password}`]
	execFileSync('openssl', bundle, { stdio: 'ignore' })
	return {
		brokers: [`localhost:${port}`],
		ca: await readFile(certificate, 'utf8'),
		username,
		password,
		port,
		settings: {
			'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
			'listener.name.client.scram-sha-512.sasl.jaas.config':
				'org.apache.kafka.common.security.scram.ScramLoginModule required;',
			'ssl.keystore.type': 'PKCS12',
			'ssl.keystore.location': store,
			'ssl.keystore.password': password,
		},
	}
}

function clusterId(): string {
	return `A${randomBytes(16).toString('base64url').slice(1)}`
}

function properties(settings: Record<string, string>): string {
	return Object.entries(settings)
		.map(([name, value]) => `${name}=${value}\n`)
		.join('')
}
