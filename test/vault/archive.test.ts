import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileStore, openVault } from '@reprieve/vault'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { changeRows, column, numericTypmod, readAll, readCells, sourceTable } from './rows.ts'

let folder: string
let count = 0

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'reprieve-vault-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function freshVault() {
	return openVault({ store: fileStore(join(folder, String(count++))), database: 'shop' })
}

const odd = sourceTable([
	column(1, 'id', 'bigint'),
	column(2, 'note', 'text'),
	column(3, 'price', 'numeric', numericTypmod(10, 2)),
	column(4, 'at', 'timestamp with time zone'),
	column(5, 'day', 'date'),
	column(6, 'ratio', 'double precision'),
	column(7, 'weight', 'real'),
	column(8, 'raw', 'bytea'),
	column(9, 'is_open', 'boolean'),
	column(10, 'small', 'smallint'),
	column(11, 'n', 'integer'),
	column(12, 'tags', 'integer[]'),
	column(13, 'wide', 'numeric', numericTypmod(38, 10)),
])

const oddCells: (string | null)[][] = [
	[
		'1',
		'plain',
		'12.50',
		'2024-02-29 12:34:56.789+00',
		'2024-02-29',
		'1.5',
		'0.1',
		'\\xdeadbeef',
		't',
		'-32768',
		'2147483647',
		'{1,2}',
		'1234567890123456789012345678.0123456789',
	],
	[
		'-9223372036854775808',
		'',
		'-0.05',
		'infinity',
		'-infinity',
		'NaN',
		'Infinity',
		'\\x',
		'f',
		'32767',
		'-2147483648',
		'{}',
		'-0.0000000001',
	],
	[
		'9223372036854775807',
		'😀',
		'NaN',
		'0044-03-15 12:00:00+00 BC',
		'0044-03-15 BC',
		'-0',
		'-0',
		null,
		null,
		null,
		null,
		null,
		'0.0000000000',
	],
	[null, null, null, null, null, null, null, null, null, null, null, null, null],
	[
		'5',
		'x'.repeat(70_000),
		'0.00',
		'9999-12-31 23:59:59.999999+00',
		'10000-01-01',
		'1e+300',
		'1e+06',
		'\\x00ff',
		't',
		'0',
		'0',
		'[0:1]={7,8}',
		'NaN',
	],
	[
		'6',
		'null',
		'99999999.99',
		'0001-01-01 00:00:00+00',
		'0001-01-01',
		'0.0001',
		'1e-05',
		'\\x00',
		'f',
		'1',
		'1',
		'',
		'1.0000000000',
	],
	[
		'7',
		'a\u0001\t\n',
		'1.00',
		'1969-12-31 23:59:59.999999+00',
		'1969-12-31',
		'123456789012345',
		'123456',
		'escaped',
		't',
		'1',
		'1',
		'',
		'2.0000000000',
	],
	['007', 'x', '01.00', '2024-01-01 00:00:00.10+00', '2024-1-01', '1.0', '1.10', '\\xDE', 'true', '+1', '-0', '', '.1'],
]

test('every odd value comes back byte for byte', async () => {
	const table = freshVault().table({ schema: 'public', name: 'customer' })
	const rows = changeRows(
		odd,
		oddCells.map((cells, at) => ({ cells, position: 10n + BigInt(at) })),
	)
	const segments = await table.write(rows)
	expect(await table.commit({ source: 'lineage', position: 100n, segments })).toEqual({
		outcome: 'committed',
		version: 0,
	})
	expect(await readCells(table.read({}))).toEqual(oddCells)
})

test('the same position again is already archived', async () => {
	const vault = freshVault()
	const table = vault.table({ schema: 'public', name: 'customer' })
	const rows = changeRows(odd, [{ cells: oddCells[0] ?? [], position: 10n }])
	await table.commit({ source: 'lineage', position: 10n, segments: await table.write(rows) })
	const again = await table.commit({ source: 'lineage', position: 10n, segments: await table.write(rows) })
	expect(again.outcome).toBe('alreadyArchived')
	expect(await table.rowCount()).toBe(1)
	expect(await table.archived('lineage')).toBe(10n)
})
test('bookkeeping comes back', async () => {
	const table = freshVault().table({ schema: 'public', name: 'customer' })
	const change = { cells: oddCells[0] ?? [], position: 10n, op: 1, leaf: 'part.a', rewritten: { id: null, note: '4' } }
	await table.commit({ source: 'l', position: 10n, segments: await table.write(changeRows(odd, [change])) })
	const [chunk] = await readAll(table.read({}))
	expect(chunk).toMatchObject({ count: 1, leaf: ['part.a'], rewritten: [{ id: null, note: '4' }], table: odd })
	expect(chunk?.op[0]).toBe(1)
	expect(chunk?.xid[0]).toBe(4_000_000_000)
	expect(chunk?.committedAt[0]).toBe(10_000n)
})
