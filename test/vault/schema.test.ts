import { fileStore, openVault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { freshFolder } from './folder.ts'
import { changeRows, column, readAll, readCells, sourceTable } from './rows.ts'

const name = { schema: 'public', name: 'customer' }

test('a retyped column is never read under its other type', async () => {
	await using folder = await freshFolder()
	const table = openVault({ store: fileStore(folder.path), database: 'shop' }).table(name)
	const columns: string[][] = []
	const asText = sourceTable([column(1, 'code', 'text')], { key: ['code'] })
	const asNumber = sourceTable([column(1, 'code', 'integer')], { key: ['code'] })
	for (const [at, [source, cell]] of (
		[
			[asText, '007'],
			[asNumber, '7'],
			[asText, '08'],
		] as const
	).entries()) {
		const position = BigInt(at + 1)
		const segments = await table.write(changeRows(source, [{ cells: [cell], position }]))
		columns.push(...segments.flatMap((segment) => segment.columns.map(({ name, type }) => [name, type])))
		await table.commit({ source: 'l', position, segments })
	}
	expect(columns).toEqual([
		['code', 'string'],
		['code_2', 'integer'],
		['code', 'string'],
	])
	expect(await readCells(table.read({}))).toEqual([['007'], ['7'], ['08']])
	expect(await table.schemas()).toEqual([asText, asNumber])
	expect((await readAll(table.read({}))).map((rows) => rows.table)).toEqual([asText, asNumber, asText])
	expect(await readCells(table.read({ keys: [{ code: '7' }] }))).toEqual([['7']])
	expect(await readCells(table.read({ keys: [{ code: '007' }] }))).toEqual([['007']])
})

test('dropped and added again, renamed, created anew and clashing columns keep their own values', async () => {
	await using folder = await freshFolder()
	const vault = () => openVault({ store: fileStore(folder.path), database: 'shop' }).table(name)
	const versions = [
		sourceTable([column(1, 'id', 'bigint'), column(2, 'a', 'text')]),
		sourceTable([column(1, 'id', 'bigint'), column(3, 'a', 'text')]),
		sourceTable([column(1, 'id', 'bigint'), column(3, 'A', 'text'), column(4, 'a', 'text')]),
		sourceTable([column(1, 'id', 'bigint'), column(3, 'b', 'text'), column(4, '_Position', 'text')]),
		sourceTable([column(1, 'id', 'bigint'), column(2, 'a', 'text')], { oid: 99_999 }),
		sourceTable([column(1, 'id', 'bigint'), column(2, '__proto__', 'integer')], { oid: 99_999 }),
	]
	const written: string[][] = []
	for (const [at, source] of versions.entries()) {
		const cells = source.columns.map((one, place) => (one.name === '__proto__' ? '-0' : String(at * 10 + place)))
		written.push(cells)
		const position = BigInt(at + 1)
		const table = vault()
		const segments = await table.write(changeRows(source, [{ cells, position }]))
		await table.commit({ source: 'l', position, segments })
	}
	expect(await readCells(vault().read({}))).toEqual(written)
	expect(await vault().schemas()).toEqual(versions)
})

test('a name that is taken in any letter case, or by the vault itself, gets a number', async () => {
	await using folder = await freshFolder()
	const table = openVault({ store: fileStore(folder.path), database: 'shop' }).table(name)
	const source = sourceTable(['id', 'a', 'A', '_Position'].map((text, at) => column(at + 1, text, 'text')))
	const [segment] = await table.write(changeRows(source, [{ cells: ['1', 'x', 'y', 'z'], position: 1n }]))
	expect(segment?.columns.map((own) => own.name)).toEqual(['id', 'a', 'A_2', '_Position_2'])
})

test('a table made anew under its old name gets columns of its own', async () => {
	await using folder = await freshFolder()
	const table = openVault({ store: fileStore(folder.path), database: 'shop' }).table(name)
	const names: string[][] = []
	for (const [at, oid] of [16_400, 99_999, 16_400].entries()) {
		const position = BigInt(at + 1)
		const source = sourceTable([column(1, 'id', 'bigint'), column(2, 'a', 'text')], { oid })
		const segments = await table.write(changeRows(source, [{ cells: ['1', 'x'], position }]))
		names.push(...segments.map((segment) => segment.columns.map((own) => own.name)))
		await table.commit({ source: 'l', position, segments })
	}
	expect(names).toEqual([
		['id', 'a'],
		['id_2', 'a_2'],
		['id', 'a'],
	])
})

test('two new schema versions written before either is committed do not share a column', async () => {
	await using folder = await freshFolder()
	const table = openVault({ store: fileStore(folder.path), database: 'shop' }).table(name)
	const first = sourceTable([column(1, 'a', 'text')], { key: [] })
	const second = sourceTable([column(2, 'a', 'integer')], { key: [] })
	const segments = [
		...(await table.write(changeRows(first, [{ cells: ['x'], position: 1n }]))),
		...(await table.write(changeRows(second, [{ cells: ['2'], position: 2n }]))),
	]
	await table.commit({ source: 'l', position: 2n, segments })
	expect(await readCells(table.read({}))).toEqual([['x'], ['2']])
})

test('a column name that another writer gave away meanwhile refuses the commit', async () => {
	await using folder = await freshFolder()
	const open = () => openVault({ store: fileStore(folder.path), database: 'shop' }).table(name)
	const [first, second] = [open(), open()]
	const one = await first.write(changeRows(sourceTable([column(1, 'a', 'text')]), [{ cells: ['x'], position: 1n }]))
	const two = await second.write(changeRows(sourceTable([column(2, 'a', 'integer')]), [{ cells: ['2'], position: 2n }]))
	await first.commit({ source: 'l', position: 1n, segments: one })
	await expect(second.commit({ source: 'l', position: 2n, segments: two })).rejects.toMatchObject({ code: 'CONFLICT' })
	const again = await second.write(
		changeRows(sourceTable([column(2, 'a', 'integer')]), [{ cells: ['2'], position: 2n }]),
	)
	await second.commit({ source: 'l', position: 2n, segments: again })
	expect(await readCells(open().read({}))).toEqual([['x'], ['2']])
})

test('a NULL in a column named like what every object has stays NULL, alone and merged', async () => {
	await using folder = await freshFolder()
	const odd = [column(2, 'x', 'double precision'), column(3, 'toString', 'text'), column(4, 'constructor', 'text')]
	const source = sourceTable([column(1, 'id', 'integer'), ...odd])
	const table = openVault({ store: fileStore(folder.path), database: 'shop' }).table(name)
	const cells = Array.from({ length: 10 }, (_, n) => [String(n), 'NaN', null, n % 2 ? 'one' : null])
	for (const [at, row] of cells.entries()) {
		const segments = await table.write(changeRows(source, [{ cells: row, position: BigInt(at + 1) }]))
		await table.commit({ source: 'l', position: BigInt(at + 1), segments })
	}
	expect(await readCells(table.read({}))).toEqual(cells)
	expect(await table.compact()).toMatchObject({ merged: 10 })
	expect(await readCells(table.read({}))).toEqual(cells)
})

test('a key that leaves a column named like what every object has open finds its rows', async () => {
	await using folder = await freshFolder()
	const key = [column(1, 'id', 'integer'), column(2, 'constructor', 'integer')]
	const source = sourceTable(key, { key: ['id', 'constructor'] })
	const table = openVault({ store: fileStore(folder.path), database: 'shop' }).table(name)
	const changes = Array.from({ length: 10 }, (_, n) => ({ cells: [String(n), '7'], position: BigInt(n + 1) }))
	for (const change of changes) {
		const segments = await table.write(changeRows(source, [change]))
		await table.commit({ source: 'l', position: change.position, segments })
	}
	await table.compact()
	expect(await readCells(table.read({ keys: [{ id: '3' }] }))).toEqual([['3', '7']])
})

test('a merge has more segments rather than more bytes at once, however small they were', async () => {
	await using folder = await freshFolder()
	const source = sourceTable([column(1, 'id', 'integer'), column(2, 'note', 'text')])
	const table = openVault({ store: fileStore(folder.path), database: 'shop' }).table(name)
	const cells = Array.from({ length: 10 }, (_, n) => [String(n), String(n).repeat(100_000)])
	for (const [at, row] of cells.entries()) {
		const segments = await table.write(changeRows(source, [{ cells: row, position: BigInt(at + 1) }]))
		await table.commit({ source: 'l', position: BigInt(at + 1), segments })
	}
	expect(await table.compact({ plainBytes: 250_000 })).toEqual({ merged: 10, written: 5 })
	expect(await readCells(table.read({}))).toEqual(cells)
})
