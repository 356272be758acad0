import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileStore, openVault, parseSegmentKeys } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { freshFolder } from './folder.ts'
import { changeRows, column, readCells, sourceTable } from './rows.ts'

const source = sourceTable([column(1, 'id', 'bigint'), column(2, 'note', 'text')])
const name = { schema: 'public', name: 'customer' }
const statistical = ['_op', '_xid', '_position', '_ordinal', '_committed_at']
const keys = parseSegmentKeys(`k1:${randomBytes(32).toString('hex')}`)
const secret = 'a value that nobody may read'

function open(path: string, options: { keys?: ReturnType<typeof parseSegmentKeys> } = { keys }) {
	return openVault({ store: fileStore(path), database: 'shop', ...options })
}

type Opened = ReturnType<typeof open>

async function archive(vault: Opened, position: bigint, note = secret) {
	const change = { cells: [String(position), note], position, leaf: 'customer of secret street' }
	const table = vault.table(name)
	await table.commit({ source: 'l', position, segments: await table.write(changeRows(source, [change])) })
	const tag = {
		kind: 'run' as const,
		lineage: 'l',
		xid: '1',
		id: 'r1',
		batch: 1,
		actor: 'ann of secret street',
		reason: secret,
	}
	await vault.transactions.append({
		source: 'l',
		position,
		transactions: [
			{
				position: { timeline: 1, lsn: position },
				end: position,
				xid: 1,
				committedAt: position,
				rows: {},
				barriers: [],
				tag,
			},
		],
	})
}

const expected = (count: number) => Array.from({ length: count }, (_, at) => [String(at + 1), secret])

async function everyObject(path: string): Promise<Map<string, string>> {
	const entries = await readdir(path, { recursive: true, withFileTypes: true })
	const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
	return new Map(await Promise.all(files.map(async (file) => [file, await readFile(file, 'latin1')] as const)))
}

/** Statistics in a log entry of the table. */
function statisticsIn(text: string): Record<'minValues' | 'maxValues' | 'nullCount', object>[] {
	const adds = text.split('\n').filter((line) => line.startsWith('{"add":'))
	return adds.map((line) => JSON.parse((JSON.parse(line) as { add: { stats: string } }).add.stats))
}

test('no object of an encrypted vault holds a value, and every row comes back', async () => {
	await using folder = await freshFolder()
	const vault = open(folder.path)
	for (let position = 1n; position <= 4n; position++) await archive(vault, position)
	await vault.table(name).compact({ minSegments: 2 })
	await vault.transactions.compact({ minSegments: 2 })
	await vault.table(name).checkpoint({ every: 1 })
	const objects = await everyObject(folder.path)
	expect([...objects.keys()].filter((file) => file.endsWith('.parquet') && file.includes('/data/'))).toHaveLength(10)
	for (const [file, text] of objects) {
		expect(text, file).not.toContain('nobody may read')
		expect(text, file).not.toContain('secret street')
		if (file.includes('/data/')) expect(text.slice(0, 4)).toBe('RPV1')
		if (!file.includes('/customer/')) continue
		expect(file).not.toContain('/_index/')
		expect(text, file).not.toContain('"filters"')
		for (const { minValues, maxValues, nullCount } of statisticsIn(text))
			for (const values of [minValues, maxValues, nullCount]) expect(Object.keys(values), file).toEqual(statistical)
	}
	const again = open(folder.path)
	expect(await readCells(again.table(name).read({}))).toEqual(expected(4))
	expect(await readCells(again.table(name).read({ keys: [{ id: '3' }] }))).toEqual([['3', secret]])
	expect(await readCells(again.table(name).read({ positions: { from: 2n, to: 2n } }))).toEqual([['2', secret]])
	const runs = await Array.fromAsync(again.transactions.read({ job: { kind: 'run', id: 'r1' } }))
	expect(runs.map(({ tag }) => tag?.reason)).toEqual([secret, secret, secret, secret])
	const verified = [
		...(await Array.fromAsync(again.table(name).verify())),
		...(await Array.fromAsync(again.transactions.verify())),
	]
	expect(verified.filter(({ problem }) => problem)).toEqual([])
})

test('a vault without its key can be verified, not read', async () => {
	await using folder = await freshFolder()
	await archive(open(folder.path), 1n)
	const blind = open(folder.path, {})
	expect((await Array.fromAsync(blind.table(name).verify())).filter(({ problem }) => problem)).toEqual([])
	await expect(readCells(blind.table(name).read({}))).rejects.toMatchObject({
		code: 'VAULT_UNAVAILABLE',
		message: expect.stringMatching(/shop\/public\/customer\/data\/.*under key "k1"/),
	})
})

test('a vault is encrypted from some day on, and its key is changed later', async () => {
	await using folder = await freshFolder()
	await archive(open(folder.path, {}), 1n)
	await archive(open(folder.path), 2n)
	const [k1] = keys.values()
	const changed = parseSegmentKeys(
		`k2:${randomBytes(32).toString('base64')},k1:${Buffer.from(k1 as Uint8Array).toString('hex')}`,
	)
	const vault = open(folder.path, { keys: changed })
	await archive(vault, 3n)
	expect(await readCells(vault.table(name).read({}))).toEqual(expected(3))
	await vault.table(name).compact({ minSegments: 2 })
	const log = [...(await everyObject(join(folder.path, 'shop/public/customer/_delta_log'))).values()].join('\n')
	expect([...log.matchAll(/"key":"(k\d)"/g)].map((match) => match[1])).toEqual(['k1', 'k2', 'k2'])
	const newest = parseSegmentKeys(`k2:${Buffer.from(changed.get('k2') as Uint8Array).toString('hex')}`)
	expect(await readCells(open(folder.path, { keys: newest }).table(name).read({}))).toEqual(expected(3))
})
