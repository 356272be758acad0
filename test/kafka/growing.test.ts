import { openKafka } from '@reprieve/sidecar'
import type { Vault } from '@reprieve/vault'
import type { Admin, Kafka, MemberDescription } from 'kafkajs'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { startBroker } from '../support/kafka/broker.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { type ArchiveGround, archiveGround } from './archive-ground.ts'
import { noteOf, numbers, type Outgoing } from './sender.ts'

const silent = pino({ level: 'silent' })
const notes = (ids: number[]) => ids.map((id) => `${id} ${noteOf(id)}`)

test.runIf(hasKafka)('topics that come are read by the same member, which reads on what it has', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	const looks = countLooks(ground.vault, 't')
	await ground.start({ parts: { vault: looks.vault } })
	await sender.transaction({ t: [1] })
	await ground.receipted(sender.position)
	const [members, before] = [await membersOf(ground), looks.count()]

	const more = numbers(1, 40).map((at) => `more_${at}`)
	await sender.makeTopics(more)
	await sender.transaction(Object.fromEntries(more.map((name) => [name, [1]])))
	await ground.receipted(sender.position)
	expect(looks.count()).toBe(before)
	await sender.transaction({ t: [2], more_7: [2] })
	await ground.receipted(sender.position)

	expect(await membersOf(ground)).toEqual(members)
	expect(await ground.rows('t')).toEqual(notes([1, 2]))
	expect(await ground.rows('more_7')).toEqual(notes([1, 2]))
	expect(await ground.rows('more_40')).toEqual(notes([1]))
	expect(await ground.incidents()).toEqual([])
})

test.runIf(hasKafka)('what is only in memory is at hand when topics have come', async () => {
	await using ground = await archiveGround()
	const sender = ground.openSender({ maxRecordBytes: 2_000 })
	await sender.makeTopics(['t', 'w'])
	await ground.start()
	const ids = numbers(1, 1_000)
	let left: Outgoing[] = []
	let receipts: Outgoing[] = []
	await sender.transaction(
		{ t: ids, w: [1] },
		{
			...{ frameRows: 400, noteBytes: 60 },
			records(all) {
				const ofT = all.filter(({ topic }) => topic === sender.topicOf('t'))
				left = ofT.slice(ofT.length / 2)
				return all.filter((record) => !left.includes(record))
			},
			receipts(all) {
				receipts = all
				return []
			},
		},
	)
	expect(left.length).toBeGreaterThan(new Set(left.map(({ frame }) => frame)).size)
	await until(async () => (await ground.rows('w')).length > 0, 'what was sent to be read')
	await sender.makeTopics(['u'])
	await until(async () => (await assignmentOf(ground)).includes(sender.topicOf('u')), 'the group to give the topic')
	await sender.send([...left, ...receipts])
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(ids.map((id) => `${id} ${noteOf(id, 60)}`))
	expect(await ground.incidents()).toEqual([])
})

test.runIf(hasKafka)(
	'a topic that the brokers do not know after all keeps nothing from being read, nor is it made',
	async () => {
		await using broker = await startBroker({ settings: { 'auto.create.topics.enable': 'true' } })
		await using ground = await archiveGround({ brokers: broker.brokers })
		const { sender } = ground
		await sender.makeTopics(['t'])
		const ghost = sender.topicOf('ghost')
		const listing = { more: [] as string[], answers: 0 }
		await ground.start({ parts: { openKafka: (access) => listMore(openKafka(access, silent), listing) } })
		await sender.transaction({ t: [1] })
		await ground.receipted(sender.position)
		const members = await membersOf(ground)

		listing.more.push(ghost)
		listing.answers = 0
		await until(() => listing.answers > 3, 'looks at the topics')
		await sender.transaction({ t: [2] })
		await ground.receipted(sender.position)
		listing.more.pop()
		await sender.makeTopics(['u'])
		await sender.transaction({ t: [3], u: [3] })
		await ground.receipted(sender.position)

		expect(await membersOf(ground)).toEqual(members)
		expect(await ground.rows('t')).toEqual(notes([1, 2, 3]))
		expect(await ground.rows('u')).toEqual(notes([3]))
		expect(await topicsOf(ground)).not.toContain(ghost)
	},
)

test.runIf(hasKafka)(
	'topics that come under load to two archivers lose nothing and bring nothing twice',
	async () => {
		await using ground = await archiveGround({ partitions: 3 })
		const { sender, sql } = ground
		await sender.makeTopics(['t'])
		await ground.start()
		await ground.start()
		const ids = (at: number) => numbers(at * 100 + 1, at * 100 + 100)
		const rounds = numbers(0, 19)
		for (const at of rounds) {
			await sender.makeTopics([`more_${at}`])
			for (const part of [3 * at, 3 * at + 1, 3 * at + 2])
				await sender.transaction({ t: ids(part), [`more_${at}`]: ids(part) }, { frameRows: 30 })
		}
		await ground.receipted(sender.position, 60_000)
		expect((await ground.rows('t')).toSorted()).toEqual(notes(numbers(1, 6_000)).toSorted())
		for (const at of rounds) {
			const expected = notes(numbers(at * 300 + 1, at * 300 + 300))
			expect((await ground.rows(`more_${at}`)).toSorted()).toEqual(expected.toSorted())
		}
		expect(await ground.incidents()).toEqual([])
		expect(await sql`select reason from reprieve.capture_gaps`).toEqual([])
	},
	180_000,
)

async function topicsOf({ client }: ArchiveGround): Promise<string[]> {
	const admin = client.admin()
	await admin.connect()
	try {
		return await admin.listTopics()
	} finally {
		await admin.disconnect()
	}
}

/** A client whose administrators list topics more than there are, and count how often they do. */
function listMore(kafka: Kafka, listing: { more: string[]; answers: number }): Kafka {
	const open = kafka.admin.bind(kafka)
	kafka.admin = (config) => {
		const admin = open(config)
		const fetchTopicMetadata: Admin['fetchTopicMetadata'] = async (options) => {
			const { topics } = await admin.fetchTopicMetadata(options)
			listing.answers++
			return { topics: [...topics, ...listing.more.map((name) => ({ name, partitions: topics[0]?.partitions ?? [] }))] }
		}
		return { ...admin, fetchTopicMetadata }
	}
	return kafka
}

async function groupOf({ client, kafka }: ArchiveGround): Promise<MemberDescription[]> {
	const admin = client.admin()
	await admin.connect()
	try {
		return (await admin.describeGroups([kafka.group])).groups.flatMap(({ members }) => members)
	} finally {
		await admin.disconnect()
	}
}

async function membersOf(ground: ArchiveGround): Promise<string[]> {
	return (await groupOf(ground)).map(({ memberId }) => memberId)
}

/** What the group has given, as bytes that have the topics' names in them. */
async function assignmentOf(ground: ArchiveGround): Promise<string> {
	return (await groupOf(ground)).map(({ memberAssignment }) => memberAssignment.toString()).join()
}

/** Counts how often the log of a table is asked where its sources stand. */
function countLooks(real: Vault, watched: string): { vault: Vault; count(): number } {
	let looks = 0
	const vault: Vault = {
		...real,
		table(name) {
			const table = real.table(name)
			const sources = async () => {
				if (table.name.name === watched) looks++
				return await table.sources()
			}
			return { ...table, name, sources }
		},
	}
	return { vault, count: () => looks }
}
