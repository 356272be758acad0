import { promisify } from 'node:util'
import { constants as zlib, zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs, { type Kafka, type SASLOptions } from 'kafkajs'
import type { Logger } from 'pino'
import type { KafkaConfig } from './config.ts'

const { CompressionCodecs, CompressionTypes, logLevel } = kafkajs

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Level 1 packs rows nearly as tightly as higher ones at several times their speed. */
const zstdLevel = { params: { [zlib.ZSTD_c_compressionLevel]: 1 } }

CompressionCodecs[CompressionTypes.ZSTD] = () => ({
	compress: ({ buffer }: { buffer: Buffer }) => compress(buffer, zstdLevel),
	decompress: (buffer: Buffer) => decompress(buffer),
})

/** Whether it is a broker's answer of a type, as in its protocol. */
export function isProtocolError(error: unknown, type: string): boolean {
	return error instanceof kafkajs.KafkaJSProtocolError && error.type === type
}

type Access = Pick<KafkaConfig, 'brokers' | 'tls' | 'sasl'>

/** A client for the brokers of the configuration, that speaks zstd; what it has to say goes to the log. */
export function openKafka({ brokers, tls, sasl }: Access, log: Logger): Kafka {
	return new kafkajs.Kafka({
		clientId: 'reprieve',
		brokers: [...brokers],
		...(tls && { ssl: tls.ca === undefined ? true : { ca: [tls.ca] } }),
		...(sasl && { sasl: sasl as SASLOptions }),
		logLevel: logLevel.WARN,
		logCreator: () => (entry) => {
			const { message, ...rest } = entry.log
			log.debug({ kafka: entry.namespace, ...rest }, message)
		},
		retry: { initialRetryTime: 50, maxRetryTime: 5_000, retries: 20 },
	})
}
