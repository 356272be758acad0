import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inject } from 'vitest'
import { type Broker, startBroker } from './broker.ts'
import { type ConnectWorker, startConnect } from './connect.ts'
import { whyNoKafka } from './jars.ts'

declare module 'vitest' {
	export interface ProvidedContext {
		/** Where the run's one broker and its Kafka Connect are asked for. */
		kafkaUrl: string
	}
}

/** The run's one broker, started when it is first asked for; topics of all tests share it, so name them at random. */
export async function sharedBroker(): Promise<{ brokers: string[] }> {
	return askShared('broker')
}

/** The run's one Kafka Connect worker with Debezium, on {@link sharedBroker}. */
export async function sharedConnect(): Promise<{ brokers: string[]; url: string }> {
	return askShared('connect')
}

/** False: Kafka's suites are skipped, as the run's first lines say. */
export const hasKafka = whyNoKafka() === null

/** Serves the shared broker to the test files of one run; with CI set, fails when no broker can be started. */
export async function shareKafka(): Promise<{ url: string; stop(): Promise<void> }> {
	const why = whyNoKafka()
	if (why && process.env.CI) throw new Error(`Kafka's tests cannot run: ${why}`)
	if (why) console.warn(`\n!! Kafka's tests are SKIPPED: ${why}\n`)
	let broker: Promise<{ brokers: string[] } & Partial<Broker>> | undefined
	let connect: Promise<ConnectWorker> | undefined
	const given = process.env.KAFKA_BROKERS?.split(',')
	const openBroker = () => (broker ??= given ? Promise.resolve({ brokers: given }) : startBroker())
	const openConnect = async () => {
		const { brokers } = await openBroker()
		connect ??= startConnect({ brokers })
		return { brokers, url: (await connect).url }
	}
	const server = createServer((request, response) => {
		const opened = request.url === '/connect' ? openConnect() : openBroker().then(({ brokers }) => ({ brokers }))
		opened.then(
			(answer) => response.end(JSON.stringify(answer)),
			(error) => response.writeHead(500).end(String(error)),
		)
	})
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		async stop() {
			server.close()
			await (await connect?.catch(() => undefined))?.[Symbol.asyncDispose]()
			await (await broker?.catch(() => undefined))?.[Symbol.asyncDispose]?.()
		},
	}
}

async function askShared<T>(what: 'broker' | 'connect'): Promise<T> {
	const response = await fetch(`${inject('kafkaUrl')}/${what}`)
	if (!response.ok) throw new Error(await response.text())
	return (await response.json()) as T
}
