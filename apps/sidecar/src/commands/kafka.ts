import { randomBytes } from 'node:crypto'
import { ReprieveError } from '@reprieve/contracts'
import { keepSecret } from '@reprieve/control'
import type { ProcessConfig } from '../config.ts'
import type { KafkaConfig } from '../kafka/config.ts'
import { defaultPrefix, parseFrameKey } from '../kafka/environment.ts'

/** The whole configuration of Kafka; the frame key is made into the data folder where none is given. Throws INVALID without brokers. */
export async function kafkaOf({ kafka, data }: ProcessConfig, database: string): Promise<KafkaConfig> {
	if (!kafka) throw new ReprieveError('INVALID', 'configuration: KAFKA_BROKERS is not set')
	const prefix = kafka.prefix ?? defaultPrefix(database)
	const frameKey = kafka.frameKey ?? parseFrameKey(await keepSecret(data, 'frame-key', newFrameKey))
	return { ...kafka, prefix, group: kafka.group ?? `${prefix}.archive`, frameKey }
}

function newFrameKey(): string {
	return randomBytes(32).toString('base64')
}
