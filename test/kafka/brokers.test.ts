import { randomBytes } from 'node:crypto'
import { openKafka } from '@reprieve/sidecar'
import type { Consumer, Kafka } from 'kafkajs'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { startBroker } from '../support/kafka/broker.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { archiveGround } from './archive-ground.ts'
import { noteOf, numbers } from './sender.ts'

const notes = (ids: number[]) => ids.map((id) => `${id} ${noteOf(id)}`)

test.runIf(hasKafka)(
	'an archiver goes on after a broker that was killed, and after one that was away',
	async () => {
		await using broker = await startBroker()
		await using ground = await archiveGround({ brokers: broker.brokers })
		const { sender } = ground
		await sender.makeTopics(['t'])
		await ground.start()
		await sender.transaction({ t: [1] })
		await ground.receipted(sender.position)
		await broker.kill()
		await broker.restart()
		await sender.transaction({ t: [2] })
		await ground.receipted(sender.position, 60_000)
		await broker.stop()
		const late = ground.start()
		await until(() => !broker.isRunning(), 'the broker to end')
		await broker.restart()
		await late
		await sender.transaction({ t: [3] })
		await ground.receipted(sender.position, 60_000)
		expect(await ground.rows('t')).toEqual(notes([1, 2, 3]))
		expect(await ground.incidents()).toEqual([])
	},
	240_000,
)

test.runIf(hasKafka)(
	'brokers that are silent end the session, and reading goes on when they are back',
	async () => {
		await using broker = await startBroker()
		await using ground = await archiveGround({ brokers: broker.brokers })
		const { sender } = ground
		await sender.makeTopics(['t'])
		const lines: string[] = []
		const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) })
		await ground.start({ watchMs: 1_500, parts: { log } })
		await sender.transaction({ t: [1] })
		await ground.receipted(sender.position)
		process.kill(broker.pid, 'SIGSTOP')
		try {
			await until(() => lines.some((line) => line.includes('nothing is read')), 'the watchdog')
		} finally {
			process.kill(broker.pid, 'SIGCONT')
		}
		await sender.transaction({ t: [2] })
		await ground.receipted(sender.position, 60_000)
		expect(await ground.rows('t')).toEqual(notes([1, 2]))
	},
	180_000,
)

test.runIf(hasKafka)('a consumer that lives but takes nothing is replaced', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	const lines: string[] = []
	const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) })
	const isNoticed = () => lines.some((line) => line.includes('has lain unread'))
	await ground.start({
		watchMs: 2_000,
		parts: {
			log,
			openKafka: (access) => numbed(openKafka(access, pino({ level: 'silent' })), () => !isNoticed()),
		},
	})
	await sender.transaction({ t: numbers(1, 10) })
	await ground.receipted(sender.position, 40_000)
	expect(isNoticed()).toBe(true)
	expect(await ground.rows('t')).toEqual(notes(numbers(1, 10)))
})

test.runIf(hasKafka)('a consumer with nothing to read is left alone', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	let consumers = 0
	await ground.start({
		watchMs: 1_500,
		parts: { openKafka: (access) => numbed(openKafka(access, pino({ level: 'silent' })), () => ++consumers < 0) },
	})
	await sender.transaction({ t: [1] })
	await ground.receipted(sender.position)
	let fetches = 0
	await until(() => ++fetches > 100, 'two seconds of quiet')
	await sender.transaction({ t: [2] })
	await ground.receipted(sender.position)
	expect(consumers).toBe(1)
})

test.runIf(hasKafka)(
	'frames are archived over SASL and TLS',
	async () => {
		await using broker = await startBroker({ secure: true })
		const { secure } = broker
		if (!secure) throw new Error('no listener')
		const { brokers, ca, username, password } = secure
		const sasl = { mechanism: 'scram-sha-512', username, password } as const
		await using ground = await archiveGround({ brokers: broker.brokers, kafka: { brokers, tls: { ca }, sasl } })
		const { sender } = ground
		await sender.makeTopics(['t'])
		await ground.start()
		await sender.transaction({ t: [1] })
		await ground.receipted(sender.position)
		await sender.send(sender.draft({ t: [2] }).map((record) => ({ ...record, value: randomBytes(9) })))
		await until(async () => (await ground.incidents()).includes('POISON_RECORD'), 'the incident')
		await ground.park({ topic: sender.topicOf('t'), partition: 0, offset: 1n })
		await sender.transaction({ t: [3] })
		await ground.receipted(sender.position)
		expect(await ground.rows('t')).toEqual(notes([1, 3]))
	},
	120_000,
)

test.runIf(hasKafka)(
	'a wrong password is no reason to give up, and reads nothing',
	async () => {
		await using broker = await startBroker({ secure: true })
		if (!broker.secure) throw new Error('no listener')
		const { brokers, ca, username } = broker.secure
		const sasl = { mechanism: 'scram-sha-512', username, password: 'wrong' } as const
		await using ground = await archiveGround({ brokers: broker.brokers, kafka: { brokers, tls: { ca }, sasl } })
		await ground.sender.makeTopics(['t'])
		await ground.sender.transaction({ t: [1] })
		const lines: string[] = []
		const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) })
		const started = ground.start({ parts: { log } })
		await until(() => lines.filter((line) => line.includes('SASL')).length > 1, 'two refusals')
		expect(await ground.rows('t')).toEqual([])
		void started
	},
	120_000,
)

/** A client whose consumers, where `isNumb` says so, never take up a partition that was paused. */
function numbed(kafka: Kafka, isNumb: () => boolean): Kafka {
	const consumer = (options: Parameters<Kafka['consumer']>[0]): Consumer => {
		const real = kafka.consumer(options)
		return isNumb() ? { ...real, resume: () => {} } : real
	}
	return new Proxy(kafka, {
		get: (target, name) => (name === 'consumer' ? consumer : Reflect.get(target, name).bind(target)),
	})
}
