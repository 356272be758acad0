import { expect, test } from 'vitest'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { archiveGround } from './archive-ground.ts'
import { noteOf, numbers } from './sender.ts'

const notes = (ids: number[], bytes?: number) => ids.map((id) => `${id} ${noteOf(id, bytes)}`)

test.runIf(hasKafka)('rows sent as frames are in the vault with their receipts', async () => {
	await using ground = await archiveGround()
	const { sender, sql, vault } = ground
	await sender.makeTopics(['t', 'u'])
	await ground.start()
	await sender.transaction({ t: [1, 2, 3], u: [7] }, { isUrgent: true, barriers: ['nonce'] })
	await sender.transaction({ t: numbers(4, 2_503) })
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes(numbers(1, 2_503)))
	expect(await ground.rows('u')).toEqual(notes([7]))
	expect(await sql`select nonce from reprieve.barriers`).toEqual([{ nonce: 'nonce' }])
	const transactions = await Array.fromAsync(vault.transactions.read({}))
	expect(transactions.map(({ rows }) => rows)).toEqual([
		{ t: { deleted: 3, relinked: 0 }, u: { deleted: 1, relinked: 0 } },
		{ t: { deleted: 2_500, relinked: 0 } },
	])
	expect(await ground.incidents()).toEqual([])
})

test.runIf(hasKafka)('an archiver that waits for capture begins when capture opens an epoch', async () => {
	await using ground = await archiveGround()
	const { vault, sender } = ground
	const [lineage] = await vault.lineages()
	if (!lineage) throw new Error('no lineage')
	const { channel, ...without } = lineage
	const closed = await vault.putLineage(without)
	const started = ground.start()
	await sender.makeTopics(['t'])
	await sender.transaction({ t: [1] })
	await vault.putLineage({ ...closed, channel })
	await started
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes([1]))
})

test.runIf(hasKafka)('frames sent again are archived once, whole or in part', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	await ground.start()
	await sender.transaction({ t: numbers(1, 30) }, { frameRows: 10, records: (records) => [...records, ...records] })
	const before = sender.position
	await sender.transaction({ t: numbers(31, 60) }, { frameRows: 10 })
	await sender.resend(before)
	// The same rows cut otherwise: frames overlap what is there.
	sender.begin(before)
	const again = sender.past.at(-1)
	await sender.transaction({}, { again, frameRows: 7 })
	await sender.transaction({ t: [61] })
	await ground.receipted(sender.position)
	expect(await ground.rows('t')).toEqual(notes(numbers(1, 61)))
	expect(await ground.incidents()).toEqual([])
})

test.runIf(hasKafka)('a receipt waits for the rows of every table, in whatever order they come', async () => {
	await using ground = await archiveGround({ partitions: 2 })
	const { sender, vault, lineage } = ground
	await sender.makeTopics(['t', 'u', 'v'])
	await ground.start()
	const held: Parameters<typeof sender.send>[0] = []
	const sent = await sender.transaction(
		{ t: numbers(1, 20), u: numbers(1, 20), v: numbers(1, 20) },
		{
			records: (records) => {
				held.push(...records.toReversed())
				return []
			},
		},
	)
	const others = held.splice(0, held.length - 1)
	await sender.send(others)
	await until(async () => (await ground.rows('v')).length === 20, 'rows of v')
	await until(async () => (await ground.rows('u')).length === 20, 'rows of u')
	expect((await vault.transactions.archived(lineage)) ?? 0n).toBeLessThan(sent.position)
	expect(await Array.fromAsync(vault.transactions.read({}))).toEqual([])
	await sender.send(held)
	await ground.receipted(sender.position)
	expect((await ground.rows('t')).length).toBe(20)
	expect((await Array.fromAsync(vault.transactions.read({}))).length).toBe(1)
})

test.runIf(hasKafka)(
	'a row of 5 MB comes in many records, and a transaction larger than memory is archived whole',
	async () => {
		await using ground = await archiveGround()
		const { sender } = ground
		await sender.makeTopics(['t'])
		await ground.start({ sidecar: { bufferBytes: 100_000 } })
		await sender.transaction({ t: [1] }, { noteBytes: 5_000_000 })
		await sender.transaction({ t: numbers(2, 3_001) }, { noteBytes: 400, frameRows: 100 })
		await ground.receipted(sender.position, 40_000)
		const rows = await ground.rows('t')
		expect(rows[0]).toBe(notes([1], 5_000_000)[0])
		expect(rows.slice(1)).toEqual(notes(numbers(2, 3_001), 400))
	},
)

test.runIf(hasKafka)('a table that capture meets later is archived as well', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	await ground.start()
	await sender.transaction({ t: [1] })
	await sender.makeTopics(['later'])
	await sender.transaction({ later: [2] })
	await ground.receipted(sender.position)
	expect(await ground.rows('later')).toEqual(notes([2]))
})

test.runIf(hasKafka)('a table whose name is too long for a topic is archived as well', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	const name = 'ü'.repeat(31)
	expect(sender.topicOf(name)).toContain('.digest-')
	await sender.makeTopics([name])
	const first = await ground.start()
	await sender.transaction({ [name]: [1, 2] })
	await ground.receipted(sender.position)
	await first.stop()
	await ground.start()
	await sender.transaction({ [name]: [3] })
	await ground.receipted(sender.position)
	expect(await ground.rows(name)).toEqual(notes([1, 2, 3]))
})

test.runIf(hasKafka)("the epoch's last word is said once everything before it has its receipt", async () => {
	await using ground = await archiveGround()
	const { sender, vault, lineage } = ground
	await sender.makeTopics(['t'])
	await ground.start()
	const held: Parameters<typeof sender.send>[0] = []
	await sender.transaction({ t: [1] }, { records: (records) => held.splice(0, 0, ...records) })
	await sender.received(sender.position + 10n, true)
	await until(async () => (await vault.transactions.archived(lineage)) !== undefined, 'the record')
	expect(await vault.transactions.archived(`${lineage}/1/drained`)).toBeUndefined()
	await sender.send(held)
	await until(async () => vault.transactions.archived(`${lineage}/1/drained`), 'the last word')
	expect(await vault.transactions.archived(lineage)).toBe(sender.position)
	expect(await ground.rows('t')).toEqual(notes([1]))
})

test.runIf(hasKafka)('another epoch begins behind the frames of the one before', async () => {
	await using ground = await archiveGround()
	const { sender, vault } = ground
	await sender.makeTopics(['t'])
	await ground.start()
	await sender.transaction({ t: [1] })
	await sender.received(sender.position, true)
	await until(async () => vault.transactions.archived(`${ground.lineage}/1/drained`), 'the last word')
	const [lineage] = await vault.lineages()
	if (!lineage?.channel) throw new Error('no lineage')
	await vault.putLineage({ ...lineage, channel: { ...lineage.channel, epoch: 2 } })
	const next = ground.openSender({ epoch: 2 }, sender.position)
	await next.transaction({ t: [2] })
	await ground.receipted(next.position)
	expect(await ground.rows('t')).toEqual(notes([1, 2]))
	expect(await ground.incidents()).toEqual([])
})

test.runIf(hasKafka)('receipts that the control schema lost are copied again', async () => {
	await using ground = await archiveGround()
	const { sender, sql } = ground
	await sender.makeTopics(['t'])
	const first = await ground.start()
	await sender.transaction({ t: [1] }, { barriers: ['one'] })
	await sender.transaction({ t: [2] }, { barriers: ['two'] })
	await ground.receipted(sender.position)
	await first.stop()
	await sql`delete from reprieve.receipts`
	await sql`delete from reprieve.barriers`
	await ground.start()
	await ground.receipted(sender.position)
	expect((await sql`select nonce from reprieve.barriers order by nonce`).map(({ nonce }) => nonce)).toEqual([
		'one',
		'two',
	])
})

test.runIf(hasKafka)('a database that was rewound gets no receipts', async () => {
	await using ground = await archiveGround()
	const { sender, sql, vault, lineage } = ground
	await sender.makeTopics(['t'])
	const [known] = await vault.lineages()
	if (!known) throw new Error('no lineage')
	await vault.putLineage({ ...known, nonces: [{ nonce: 'theirs', position: '0/1' }] })
	await sql`update reprieve.lineages set nonce = 'ours' where id = ${lineage}`
	await expect(ground.start()).rejects.toMatchObject({ code: 'CAPTURE_GAP' })
	expect(await ground.incidents()).toEqual(['DATABASE_REWOUND'])
})

test.runIf(hasKafka)('a transaction that is delivered again as another one stops the archive', async () => {
	await using ground = await archiveGround()
	const { sender } = ground
	await sender.makeTopics(['t'])
	const sidecar = await ground.start()
	const start = sender.position
	await sender.transaction({ t: [1] })
	await ground.receipted(sender.position)
	const [past] = sender.past
	if (!past) throw new Error('nothing sent')
	sender.begin(start)
	await sender.transaction({}, { again: { ...past, xid: past.xid + 1, deleted: { t: [2] } } })
	await expect(sidecar.ended).rejects.toMatchObject({ code: 'CONFLICT' })
	expect(await ground.incidents()).toEqual(['TRANSACTION_CHANGED'])
	expect(await ground.rows('t')).toEqual(notes([1]))
})

test.runIf(hasKafka)('reading begins anew with a frame that was read but not taken', async () => {
	await using ground = await archiveGround()
	const { sender, vault, lineage } = ground
	await sender.makeTopics(['t'])
	const first = await ground.start()
	const start = sender.position
	await sender.transaction({ t: [1] })
	await ground.receipted(sender.position)
	await first.stop()
	const asked = Promise.withResolvers<void>()
	const answered = Promise.withResolvers<void>()
	async function* read(query: Parameters<typeof vault.transactions.read>[0]) {
		if (query.exact) {
			asked.resolve()
			await answered.promise
		}
		yield* vault.transactions.read(query)
	}
	const slow = { ...vault, transactions: { ...vault.transactions, read } }
	await sender.transaction({ t: [2] }, { receipts: () => [] })
	const [past] = sender.past
	sender.begin(start)
	await sender.transaction({}, { again: past, receipts: () => [] })
	await ground.start({ parts: { vault: slow }, sidecar: { lingerMs: 300 } })
	await asked.promise
	await until(async () => (await ground.rows('t')).length === 2, 'the rows before it')
	const sources = await vault.table({ schema: 'public', name: 't' }).sources()
	expect(sources.get(`${lineage}/1/0/offset`)).toBe(2n)
	answered.resolve()
})
