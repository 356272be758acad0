import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type BrokerOptions, startBroker } from '../support/kafka/broker.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { mountSmallDisk } from './disk.ts'
import { publishAll, startWorld, type Victim, type World } from './world.ts'

const testKafka = test.runIf(hasKafka)

/** Rounds of killing; each at a moment that nobody chose. */
const rounds = 4

testKafka(
	'a killed broker loses nothing and brings nothing twice',
	async () => {
		await using ground = await start()
		const { broker } = ground
		await killInRounds(ground.world, {
			kill: () => broker.kill(),
			restart: () => broker.restart(),
			output: () => broker.log(),
		})
	},
	300_000,
)

testKafka(
	'a killed capture loses nothing and brings nothing twice',
	async () => {
		await using ground = await start()
		await killInRounds(ground.world, ground.capture)
	},
	300_000,
)

testKafka(
	'one of two archivers killed loses nothing and brings nothing twice',
	async () => {
		await using ground = await start()
		await killInRounds(ground.world, ground.archivers[0] as Victim)
	},
	300_000,
)

testKafka(
	'a killed PostgreSQL loses nothing and brings nothing twice',
	async () => {
		await using ground = await start()
		await killInRounds(ground.world, ground.world.postgres)
	},
	300_000,
)

testKafka(
	'everything killed at once loses nothing and brings nothing twice',
	async () => {
		await using ground = await start()
		const all = [ground.capture, ...ground.archivers, ground.world.postgres]
		await killInRounds(ground.world, {
			kill: async () => void (await Promise.all([ground.broker.kill(), ...all.map((one) => one.kill())])),
			restart: async () => {
				await Promise.all([ground.broker.restart(), ground.world.postgres.restart()])
				await Promise.all([ground.capture, ...ground.archivers].map((one) => one.restart()))
			},
			output: () => '',
		})
	},
	300_000,
)

testKafka(
	'a broker whose disk is full loses nothing, and all goes on when there is room again',
	async (context) => {
		await using disk = await mountSmallDisk(192)
		if (!disk) return context.skip()
		await using ground = await start({ dataFolder: join(disk.path, 'data') })
		const { world, broker } = ground
		const deleting = world.startDeleting()
		await disk.fill()
		await until(async () => !broker.isRunning() || (await isStuck(world)), 'the full disk to tell', 60_000)
		await deleting.stop()
		await disk.relieve()
		await broker.restart()
		await world.barrier()
		await until(
			async () => (await world.sql`select 1 from reprieve.incidents where resolved_at is null`).count === 0,
			'no incident',
		)
		expect(await world.differences()).toEqual([])
	},
	300_000,
)

/** Nothing has been acknowledged for a while, although there is more. */
async function isStuck({ sql }: World): Promise<boolean> {
	const read = async () => (await sql`select archived from reprieve.capture_state`)[0]?.archived
	const before = await read()
	await pause(5_000)
	return (await read()) === before
}

/** One broker, capture, and two archivers, over tables whose rows are published. */
async function start(options: BrokerOptions = {}) {
	await using stack = new AsyncDisposableStack()
	const broker = stack.use(await startBroker(options))
	const world = stack.use(await startWorld({ KAFKA_BROKERS: broker.brokers.join(','), REPRIEVE_KAFKA_PARTITIONS: '2' }))
	const capture = await world.sidecar('capture', '--sink', 'kafka')
	await until(
		async () => (await world.sql`select 1 from reprieve.capture_state where state = 'streaming'`).count > 0,
		'capture to stream',
		60_000,
	)
	const archivers = [await world.sidecar('archive'), await world.sidecar('archive')]
	await publishAll(world)
	await world.barrier()
	const owned = stack.move()
	return { broker, world, capture, archivers, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function killInRounds(world: World, victim: Victim): Promise<void> {
	const deleting = world.startDeleting()
	for (let round = 0; round < rounds; round++) {
		await pause(200 + Math.random() * 1_500)
		await victim.kill()
		await pause(Math.random() * 500)
		await victim.restart()
	}
	await deleting.stop()
	await world.barrier()
	// Frames that were asked for again say so until their partition is read to its end.
	await until(
		async () => (await world.sql`select 1 from reprieve.incidents where resolved_at is null`).count === 0,
		'no incident',
	)
	expect(await world.differences()).toEqual([])
}
