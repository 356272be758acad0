import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileStore, openVault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { freshFolder } from './folder.ts'
import { changeRows, column, readCells, sourceTable } from './rows.ts'

const source = sourceTable([column(1, 'id', 'bigint')])
const name = { schema: 'public', name: 'customer' }
const day = 24 * 3_600_000

test('a sweep deletes what the log let go of a week ago, and nothing that a reader needs', async () => {
	await using folder = await freshFolder()
	let now = Date.now()
	const open = () => openVault({ store: fileStore(folder.path), database: 'shop', now: () => now }).table(name)
	const table = open()
	const write = (position: bigint) => table.write(changeRows(source, [{ cells: [String(position)], position }]))
	for (let position = 1n; position <= 5n; position++)
		await table.commit({ source: 'l', position, segments: await write(position) })
	await write(6n)
	await table.compact({ minSegments: 2 })
	await table.checkpoint({ every: 1 })
	expect(await table.sweep()).toEqual({ segments: 0, entries: 0 })
	now += 8 * day
	await table.commit({ source: 'l', position: 7n, segments: await write(7n) })
	expect(await table.sweep()).toEqual({ segments: 6, entries: 5 })
	expect(await readCells(open().read({}))).toEqual(['1', '2', '3', '4', '5', '7'].map((id) => [id]))
	expect((await Array.fromAsync(open().verify())).filter(({ problem }) => problem)).toEqual([])
	expect(await readdir(join(folder.path, 'shop/public/customer/data'))).toHaveLength(2)
	expect((await open().commit({ source: 'l', position: 6n, segments: [] })).outcome).toBe('alreadyArchived')
})

test('a sweep goes by the earlier of two clocks', async () => {
	await using folder = await freshFolder()
	const today = Date.now()
	let now = today
	const table = openVault({ store: fileStore(folder.path), database: 'shop', now: () => now }).table(name)
	for (const position of [1n, 2n]) {
		const segments = await table.write(changeRows(source, [{ cells: [String(position)], position }]))
		await table.commit({ source: 'l', position, segments })
	}
	await table.compact({ minSegments: 2 })
	now = today + 8 * day
	expect(await table.sweep({ now: today })).toEqual({ segments: 0, entries: 0 })
	now = today
	expect(await table.sweep({ now: today + 8 * day })).toEqual({ segments: 0, entries: 0 })
	now = today + 8 * day
	expect(await table.sweep({ now })).toEqual({ segments: 2, entries: 0 })
})

test('a sweep deletes index objects that were replaced a week ago, and none that is in use', async () => {
	await using folder = await freshFolder()
	let now = Date.now()
	const open = () => openVault({ store: fileStore(folder.path), database: 'shop', now: () => now }).table(name)
	const table = open()
	const objects = () => readdir(join(folder.path, 'shop/public/customer/_index'))
	const archive = async (position: bigint) => {
		const segments = await table.write(changeRows(source, [{ cells: [String(position)], position }]))
		await table.commit({ source: 'l', position, segments })
		await table.compact({ minSegments: 1 })
		await table.checkpoint({ every: 1 })
	}
	await archive(1n)
	const first = await objects()
	now += 8 * day
	await archive(2n)
	expect(await objects()).toHaveLength(2)
	expect((await table.sweep()).segments).toBe(0)
	now += 8 * day
	await archive(3n)
	await table.sweep()
	expect(await objects()).not.toContain(first[0])
	expect(await objects()).toHaveLength(2)
	expect(await readCells(open().read({ keys: [{ id: '1' }] }))).toEqual([['1']])
	expect((await Array.fromAsync(open().verify())).filter(({ problem }) => problem)).toEqual([])
})

test('a table whose newest entry is lost shows in the log of transactions', async () => {
	await using folder = await freshFolder()
	const vault = openVault({ store: fileStore(folder.path), database: 'shop' })
	for (const position of [1n, 2n]) {
		const rows = changeRows(source, [{ cells: ['1'], position }])
		await vault.table(name).commit({ source: 'l', position, segments: await vault.table(name).write(rows) })
		await vault.transactions.append({ source: 'l', position, transactions: [] })
	}
	const problems = async () => (await Array.fromAsync(vault.transactions.verify())).filter(({ problem }) => problem)
	expect(await problems()).toEqual([])
	const newest = 'shop/public/customer/_delta_log/00000000000000000001.json'
	await rm(join(folder.path, newest))
	expect((await problems()).map(({ object }) => object)).toEqual([newest])
})
