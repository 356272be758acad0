import { tableOfTopic, transactionsTopic } from '@reprieve/cdc'
import type { Admin } from 'kafkajs'
import type { Ends, Lane } from './brokers.ts'
import type { GroupOffset } from './opening.ts'

/** Topic of records that were put aside. */
export function parkedTopic(prefix: string): string {
	return `${prefix}.parked`
}

/** Topics of a prefix that may have frames, in order, with how many partitions each has; what was parked is none of them. */
export async function listFrameTopics(admin: Admin, prefix: string): Promise<ReadonlyMap<string, number>> {
	const isOurs = (topic: string) =>
		topic === transactionsTopic(prefix) ||
		topic.startsWith(`${prefix}.digest-`) ||
		tableOfTopic(prefix, topic) !== undefined
	const { topics } = await admin.fetchTopicMetadata()
	const ours = topics
		.filter(({ name }) => isOurs(name))
		.map(({ name, partitions }) => [name, partitions.length] as const)
	return new Map(ours.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What a group remembers of every partition; asked of all at once, since the client looks each topic up that is named. */
export async function readGroupOffsets(
	admin: Admin,
	groupId: string,
): Promise<(lane: Lane) => GroupOffset | undefined> {
	const known = new Map<string, GroupOffset>()
	for (const { topic, partitions } of await admin.fetchOffsets({ groupId })) {
		for (const { partition, offset, metadata } of partitions) {
			if (BigInt(offset) < 0n) continue
			known.set(`${topic}:${partition}`, { offset: BigInt(offset), metadata: metadata ?? '' })
		}
	}
	return ({ topic, partition }) => known.get(`${topic}:${partition}`)
}

/** Both ends of each partition of a topic that is there. */
export async function readEnds(admin: Admin, topic: string): Promise<Map<number, Ends>> {
	const places = await admin.fetchTopicOffsets(topic)
	return new Map(places.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]))
}
