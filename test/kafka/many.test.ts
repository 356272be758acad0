import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { type ArchiveGround, archiveGround } from './archive-ground.ts'
import { noteOf, numbers } from './sender.ts'

const notes = (ids: number[]) => ids.map((id) => `${id} ${noteOf(id)}`)

test.runIf(hasKafka)(
	'archivers come and go under load, and every row is archived once',
	async () => {
		await using ground = await archiveGround({ partitions: 3 })
		const { sender } = ground
		await sender.makeTopics(['t', 'u'])
		const first = await ground.start()
		const sent = send(ground, 60)
		await ground.start()
		const third = await ground.start()
		await first.stop()
		await ground.start()
		await third.stop()
		await sent
		await expectExact(ground, 60)
	},
	180_000,
)

test.runIf(hasKafka)(
	'an archiver killed at any moment loses nothing and archives nothing twice',
	async () => {
		await using ground = await archiveGround({ partitions: 3 })
		const { sender } = ground
		await sender.makeTopics(['t', 'u'])
		await using other = spawnArchive(ground)
		await streaming(other)
		let transactions = 0
		for (let round = 0; round < 4; round++) {
			await using victim = spawnArchive(ground)
			await streaming(victim)
			const killed = killSoon(victim)
			for (const until = transactions + 15; transactions < until; transactions++) await sendOne(ground, transactions)
			await killed
		}
		await expectExact(ground, transactions)
	},
	240_000,
)

test.runIf(hasKafka)(
	'an archiver that slept while its partitions moved commits nothing',
	async () => {
		await using ground = await archiveGround()
		const { sender, vault } = ground
		await sender.makeTopics(['t'])
		await using sleeper = spawnArchive(ground, { isHeld: true, lingerMs: 0 })
		await streaming(sleeper)
		await sender.transaction({ t: [1, 2] })
		await until(() => sleeper.output().includes('committing'), 'a commit to be due')
		sleeper.child.kill('SIGSTOP')
		await sender.transaction({ t: [3] })
		await ground.start()
		await ground.receipted(sender.position, 60_000)
		const before = await ground.vault.table({ schema: 'public', name: 't' }).sources()
		sleeper.child.stdin?.write('go\n')
		sleeper.child.kill('SIGCONT')
		await until(() => /another (archiver|writer)/.test(sleeper.output()), 'the refusal')
		expect(await ground.vault.table({ schema: 'public', name: 't' }).sources()).toEqual(before)
		expect(await ground.rows('t')).toEqual(notes([1, 2, 3]))
		await sender.transaction({ t: [4] })
		await ground.receipted(sender.position, 60_000)
		expect(await ground.rows('t')).toEqual(notes([1, 2, 3, 4]))
		expect((await Array.fromAsync(vault.transactions.read({}))).length).toBe(3)
	},
	180_000,
)

async function send(ground: ArchiveGround, transactions: number): Promise<void> {
	for (let at = 0; at < transactions; at++) await sendOne(ground, at)
}

/** Rows of two tables; every fifth transaction is sent as a capture does that lost the acknowledgement: twice. */
async function sendOne({ sender }: ArchiveGround, at: number): Promise<void> {
	const ids = numbers(at * 100 + 1, at * 100 + 100)
	const records = at % 5 === 0 ? <T>(all: T[]) => [...all, ...all] : undefined
	await sender.transaction({ t: ids, u: ids }, { records, frameRows: 30 })
}

async function expectExact(ground: ArchiveGround, transactions: number): Promise<void> {
	const { sender, sql, vault } = ground
	await ground.receipted(sender.position, 60_000)
	for (const table of ['t', 'u']) {
		const rows = await ground.rows(table)
		expect(rows.toSorted()).toEqual(notes(numbers(1, transactions * 100)).toSorted())
	}
	expect((await Array.fromAsync(vault.transactions.read({}))).length).toBe(transactions)
	expect(await ground.incidents()).toEqual([])
	expect(await sql`select reason from reprieve.capture_gaps`).toEqual([])
}

type Child = AsyncDisposable & { child: ChildProcess; output(): string }

function spawnArchive({ url, vaultUrl, name, kafka }: ArchiveGround, options: object = {}): Child {
	const script = fileURLToPath(new URL('./child.ts', import.meta.url))
	const settings = { ...kafka, frameKey: Buffer.from(kafka.frameKey).toString('base64') }
	const config = { databaseUrl: url, vaultUrl, database: name, kafka: settings, lingerMs: 5, backoffMs: 50, ...options }
	const child = spawn(process.execPath, [script, JSON.stringify(config)], { stdio: ['pipe', 'pipe', 'inherit'] })
	let output = ''
	child.stdout.on('data', (bytes) => {
		output += bytes
	})
	return {
		child,
		output: () => output,
		async [Symbol.asyncDispose]() {
			if (child.exitCode !== null || child.signalCode !== null) return
			child.kill('SIGKILL')
			await once(child, 'exit')
		},
	}
}

async function streaming({ child, output }: Child): Promise<void> {
	await until(() => {
		if (child.exitCode !== null) throw new Error('the archiver ended before it streamed')
		return output().includes('streaming')
	}, 'the archiver to stream')
}

/** Any moment will do: what is asserted holds for all of them. */
async function killSoon({ child }: Child): Promise<void> {
	await new Promise((resolve) => setTimeout(resolve, Math.random() * 600))
	child.kill('SIGKILL')
	await once(child, 'exit')
}
