import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileStore, openVault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { freshFolder } from './folder.ts'
import { changeRows, column, readCells, sourceTable } from './rows.ts'

const source = sourceTable([column(1, 'id', 'bigint'), column(2, 'note', 'text')])
const name = { schema: 'public', name: 'customer' }

/** A vault of six commits with a checkpoint after the third. */
async function archive(path: string) {
	const vault = openVault({ store: fileStore(path), database: 'shop' })
	const table = vault.table(name)
	for (let position = 1n; position <= 6n; position++) {
		const rows = changeRows(source, [{ cells: [String(position), `note ${position}`], position }])
		await table.commit({ source: 'l', position, segments: await table.write(rows) })
		if (position === 3n) await table.checkpoint({ every: 1 })
	}
}

const reopen = (path: string) => openVault({ store: fileStore(path), database: 'shop' }).table(name)

async function objectsOf(path: string): Promise<string[]> {
	const entries = await readdir(join(path, 'shop'), { recursive: true, withFileTypes: true })
	return entries.filter((entry) => entry.isFile()).map((entry) => relative(path, join(entry.parentPath, entry.name)))
}

/** Bytes at the beginning, the end and in every eighth of an object. */
function regionsOf(size: number): number[] {
	return [0, 1, ...Array.from({ length: 8 }, (_, at) => Math.floor((size * at) / 8)), size - 2, size - 1]
}

test('any flipped bit is found before a row leaves, and the object is named', async () => {
	await using folder = await freshFolder()
	await archive(folder.path)
	const whole = await readCells(reopen(folder.path).read({}))
	expect(whole).toHaveLength(6)
	let flipped = 0
	for (const object of await objectsOf(folder.path)) {
		const file = join(folder.path, object)
		const bytes = await readFile(file)
		for (const at of regionsOf(bytes.length)) {
			const damaged = Buffer.from(bytes)
			damaged[at] = (damaged[at] as number) ^ (1 << (at % 8))
			await writeFile(file, damaged)
			const problems = (await Array.fromAsync(reopen(folder.path).verify())).filter(({ problem }) => problem)
			const isHint = object.endsWith('_last_checkpoint')
			if (isHint) expect(await readCells(reopen(folder.path).read({}))).toEqual(whole)
			else
				expect(
					problems.some((found) => found.problem?.includes(object)),
					`${object} at ${at}`,
				).toBe(true)
			await expectNoWrongRow(folder.path, object, whole)
			flipped++
		}
		await writeFile(file, bytes)
	}
	expect(flipped).toBeGreaterThan(150)
	expect((await Array.fromAsync(reopen(folder.path).verify())).filter(({ problem }) => problem)).toEqual([])
}, 120_000)

/** Either the damaged object is not needed, or it is refused by name. */
async function expectNoWrongRow(path: string, object: string, whole: unknown): Promise<void> {
	const reading = readCells(reopen(path).read({}))
	try {
		expect(await reading).toEqual(whole)
	} catch (error) {
		expect(error).toMatchObject({ code: 'VAULT_CORRUPT', message: expect.stringContaining(object) })
	}
}

test('a hint that points to an older checkpoint hides no row', async () => {
	await using folder = await freshFolder()
	await archive(folder.path)
	await reopen(folder.path).checkpoint({ every: 1 })
	const log = join(folder.path, 'shop/public/customer/_delta_log')
	const hint = join(log, '_last_checkpoint')
	const text = await readFile(hint, 'utf8')
	expect(text).toContain('"version":5')
	for (const cleaned of [0, 1, 3, 4]) await rm(join(log, `${String(cleaned).padStart(20, '0')}.json`))
	await writeFile(hint, text.replace('"version":5', '"version":2'))
	expect(await readCells(reopen(folder.path).read({}))).toHaveLength(6)
})

test('a segment cut short or missing is refused by name', async () => {
	await using folder = await freshFolder()
	await archive(folder.path)
	const [segment = ''] = (await objectsOf(folder.path)).filter(
		(object) => object.endsWith('.parquet') && object.includes('/data/'),
	)
	const file = join(folder.path, segment)
	await writeFile(file, (await readFile(file)).subarray(0, -1))
	const refusal = { code: 'VAULT_CORRUPT', message: expect.stringContaining(segment) }
	await expect(readCells(reopen(folder.path).read({}))).rejects.toMatchObject(refusal)
	await rm(file)
	await expect(readCells(reopen(folder.path).read({}))).rejects.toMatchObject(refusal)
})

test('a checkpoint without its seal is damage where the hint names it, and unfinished elsewhere', async () => {
	await using folder = await freshFolder()
	await archive(folder.path)
	const log = join(folder.path, 'shop/public/customer/_delta_log')
	const nameOf = (version: number, kind: string) => join(log, `${String(version).padStart(20, '0')}.checkpoint.${kind}`)
	const problems = async () => (await Array.fromAsync(reopen(folder.path).verify())).filter(({ problem }) => problem)
	await writeFile(nameOf(4, 'parquet'), await readFile(nameOf(2, 'parquet')))
	expect(await problems()).toEqual([])
	await rm(nameOf(2, 'seal'))
	expect(await problems()).toMatchObject([{ object: expect.stringContaining('2.checkpoint.parquet') }])
})

test('an entry rewritten with a valid seal breaks the chain', async () => {
	await using folder = await freshFolder()
	await using other = await freshFolder()
	await archive(folder.path)
	await archive(other.path)
	const entry = 'shop/public/customer/_delta_log/00000000000000000004.json'
	await writeFile(join(folder.path, entry), await readFile(join(other.path, entry)))
	await expect(readCells(reopen(folder.path).read({}))).rejects.toMatchObject({
		code: 'VAULT_CORRUPT',
		message: expect.stringContaining(`${entry} is corrupt: it follows`),
	})
})

test('a missing entry in the middle is named by verify', async () => {
	await using folder = await freshFolder()
	await archive(folder.path)
	const entry = 'shop/public/customer/_delta_log/00000000000000000004.json'
	await rm(join(folder.path, entry))
	const problems = (await Array.fromAsync(reopen(folder.path).verify())).filter(({ problem }) => problem)
	expect(problems.map(({ object }) => object)).toContain(entry)
})

test('a missing checkpoint that the hint names, and its entry, are named by verify', async () => {
	for (const object of ['00000000000000000002.checkpoint.parquet', '00000000000000000002.json']) {
		await using folder = await freshFolder()
		await archive(folder.path)
		const log = 'shop/public/customer/_delta_log'
		for (const cleaned of [0, 1]) await rm(join(folder.path, log, `${String(cleaned).padStart(20, '0')}.json`))
		expect((await Array.fromAsync(reopen(folder.path).verify())).filter(({ problem }) => problem)).toEqual([])
		await rm(join(folder.path, log, object))
		const problems = (await Array.fromAsync(reopen(folder.path).verify())).filter(({ problem }) => problem)
		expect(problems.map(({ object }) => object)).toContain(`${log}/${object}`)
	}
})

test('a damaged segment is named though the entry that added it was cleaned away, and its successor was not', async () => {
	await using folder = await freshFolder()
	await archive(folder.path)
	const log = join(folder.path, 'shop/public/customer/_delta_log')
	const entry = join(log, `${'0'.repeat(20)}.json`)
	const path = /"path":"(data[^"]*)"/.exec(await readFile(entry, 'utf8'))?.[1] ?? ''
	await rm(entry)
	await rm(join(folder.path, 'shop/public/customer', path))
	const problems = (await Array.fromAsync(reopen(folder.path).verify())).filter(({ problem }) => problem)
	expect(problems.map(({ object }) => object)).toEqual([`shop/public/customer/${path}`])
})

test("a missing newest entry is named by the log of transactions, also one of another process's", async () => {
	await using folder = await freshFolder()
	await archive(folder.path)
	const receipts = openVault({ store: fileStore(folder.path), database: 'shop' })
	expect((await receipts.table(name).sources()).get('l')).toBe(6n)
	await receipts.transactions.append({ source: 'l', position: 7n, transactions: [] })
	const entry = 'shop/public/customer/_delta_log/00000000000000000005.json'
	await rm(join(folder.path, entry))
	const problems = (await Array.fromAsync(receipts.transactions.verify())).filter(({ problem }) => problem)
	expect(problems.map(({ object }) => object)).toEqual([entry])
})

test('a damaged log of transactions is refused by name', async () => {
	await using folder = await freshFolder()
	const open = () => openVault({ store: fileStore(folder.path), database: 'shop' }).transactions
	const position = { timeline: 1, lsn: 5n }
	const one = { position, end: 6n, xid: 1, committedAt: 0n, rows: {}, barriers: [] }
	await open().append({ source: 'l', position: 5n, transactions: [one] })
	for (const object of await objectsOf(folder.path)) {
		const file = join(folder.path, object)
		const bytes = await readFile(file)
		const damaged = Buffer.from(bytes)
		damaged[20] = (damaged[20] as number) ^ 4
		await writeFile(file, damaged)
		const refusal = { code: 'VAULT_CORRUPT', message: expect.stringContaining(object) }
		await expect(Array.fromAsync(open().read({}))).rejects.toMatchObject(refusal)
		await writeFile(file, bytes)
	}
})
