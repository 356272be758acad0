import { randomBytes } from 'node:crypto'
import { type Broker, startBroker } from '../../support/kafka/broker.ts'
import { type SidecarGround, startSidecarGround } from '../sidecars.ts'

/** Sidecars that reach a broker as well. */
export type KafkaGround = SidecarGround & { broker: Broker; prefix: string }

/** Starts everything in a temporary folder; more environment for the sidecars in `env`. */
export async function startKafkaGround(env: Record<string, string> = {}): Promise<KafkaGround> {
	await using stack = new AsyncDisposableStack()
	const broker = stack.use(await startBroker())
	const prefix = `bench.${randomBytes(4).toString('hex')}`
	const ground = stack.use(
		await startSidecarGround({ KAFKA_BROKERS: broker.brokers.join(','), REPRIEVE_KAFKA_PREFIX: prefix, ...env }),
	)
	const owned = stack.move()
	return { ...ground, broker, prefix, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
