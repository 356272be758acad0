import type { FrameProducer } from '@reprieve/sidecar/steps'
import type { Broker } from './broker.ts'
import type { Process, World } from './world.ts'

type Request = Parameters<FrameProducer['sendBatch']>[0]

/** Brokers that share the partitions: a request to one may arrive while the other's does not. */
const leaders = 2

/** A producer of one session. What failed or was not answered may arrive later all the same. */
export function openProducer({
	world,
	process,
	broker,
}: {
	world: World
	process: Process
	broker: Broker
}): FrameProducer {
	const produce = (leader: number, request: Request) =>
		world.call(
			process,
			`produce to broker ${leader}`,
			() => {
				for (const { topic, messages } of request.topicMessages ?? [])
					for (const { partition = 0, value } of messages)
						if (partition % leaders === leader) broker.append({ topic, partition }, [value as Buffer])
			},
			{ isWrite: true },
		)
	return {
		connect: async () => {},
		disconnect: async () => {},
		async sendBatch(request) {
			const partitions = (request.topicMessages ?? []).flatMap(({ messages }) =>
				messages.map(({ partition = 0 }) => partition % leaders),
			)
			await Promise.all([...new Set(partitions)].map((leader) => produce(leader, request)))
			return []
		},
	}
}
