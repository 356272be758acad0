import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileStore, openVault } from '@reprieve/vault'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openReaders, type Readers } from '../support/readers/readers.ts'
import { createBucket } from '../support/s3/bucket.ts'
import { hasS3, sharedS3 } from '../support/s3/shared.ts'
import type { S3Server } from '../support/s3/versitygw.ts'
import { changeRows, column, numericTypmod, sourceTable } from './rows.ts'

let folder: string
let readers: Readers | undefined

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'reprieve-readers-'))
	readers = await openReaders()
}, 300_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

const source = sourceTable([
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
	column(12, 'when', 'timestamp without time zone'),
	column(13, 'wide', 'numeric', numericTypmod(38, 10)),
	column(14, '_OP', 'text'),
	column(15, 'odd name; {}=()', 'text'),
])

const cells: Record<string, (string | null)[]> = {
	usual: [
		'1',
		'a 😀',
		'12.50',
		'2024-02-29 12:34:56.789+00',
		'2024-02-29',
		'1.5',
		'0.25',
		'\\xdead',
		't',
		'-1',
		'7',
		'2024-01-01 00:00:00',
		'1.0000000000',
		'x',
		'y',
	],
	extreme: [
		'-9223372036854775808',
		'',
		'-0.05',
		'0001-01-01 00:00:00+00',
		'9999-12-31',
		'-1e+300',
		'1e+20',
		'\\x',
		'f',
		'-32768',
		'-2147483648',
		'infinity',
		'-9999999999999999999999999999.9999999999',
		'',
		'',
	],
	exact: [
		'9223372036854775807',
		'x'.repeat(70_000),
		'NaN',
		'infinity',
		'0044-03-15 BC',
		'NaN',
		'-0',
		null,
		null,
		null,
		null,
		null,
		'NaN',
		null,
		null,
	],
	nulls: ['4', null, null, null, null, null, null, null, null, null, null, null, null, null, null],
}

const expected: Record<string, Record<string, unknown>> = {
	usual: {
		id: '1',
		note: 'a 😀',
		price: '12.50',
		at: '1709210096789000',
		day: '19782',
		ratio: '1.5',
		weight: '0.25',
		raw: 'dead',
		is_open: true,
		small: '-1',
		n: '7',
		when: '2024-01-01 00:00:00',
		wide: '1.0000000000',
		_OP_2: 'x',
		'odd name; {}=()': 'y',
	},
	extreme: {
		id: '-9223372036854775808',
		note: '',
		price: '-0.05',
		at: '-62135596800000000',
		day: '2932896',
		ratio: '-1e+300',
		weight: '1.0000000200408773e+20',
		raw: '',
		is_open: false,
		small: '-32768',
		n: '-2147483648',
		when: 'infinity',
		wide: '-9999999999999999999999999999.9999999999',
		_OP_2: '',
		'odd name; {}=()': '',
	},
	exact: {
		id: '9223372036854775807',
		note: 'x'.repeat(70_000),
		price: null,
		at: null,
		day: null,
		ratio: null,
		weight: null,
		raw: null,
		is_open: null,
		small: null,
		n: null,
		when: null,
		wide: null,
		_OP_2: null,
		'odd name; {}=()': null,
	},
	nulls: {
		id: '4',
		note: null,
		price: null,
		at: null,
		day: null,
		ratio: null,
		weight: null,
		raw: null,
		is_open: null,
		small: null,
		n: null,
		when: null,
		wide: null,
		_OP_2: null,
		'odd name; {}=()': null,
	},
}

const exact = { price: 'NaN', at: 'infinity', day: '0044-03-15 BC', ratio: 'NaN', weight: '-0', wide: 'NaN' }

function bookkeeping(position: number, texts: Record<string, string> | null) {
	return {
		_op: 'delete',
		_xid: '4000000000',
		_position: String(position),
		_ordinal: '0',
		_committed_at: String(position * 1000),
		_leaf: position === 11 ? 'p.2024' : null,
		_rewritten: null,
		_exact: texts,
	}
}

const names = Object.keys(cells)
const allExpected = names.map((name, at) => ({
	...bookkeeping(10 + at, name === 'exact' ? exact : null),
	...expected[name],
}))
const long = 'x'.repeat(70_000)
/** Column, value and rows that equal it: one of each type, at the bounds of its file, long texts and absent values. */
const questions: [string, string, number][] = [
	['id', '9223372036854775807', 1],
	['id', '-9223372036854775808', 1],
	['id', '5', 0],
	['note', 'a 😀', 1],
	['note', '', 1],
	['note', long, 1],
	['note', `${long}y`, 0],
	['price', '12.50', 1],
	['price', '-0.05', 1],
	['at', '2024-02-29T12:34:56.789000+00:00', 1],
	['at', '0001-01-01T00:00:00+00:00', 1],
	['day', '2024-02-29', 1],
	['day', '9999-12-31', 1],
	['ratio', '1.5', 1],
	['ratio', '-1e+300', 1],
	['weight', '0.25', 1],
	['raw', 'dead', 1],
	['is_open', 'true', 1],
	['is_open', 'false', 1],
	['small', '-32768', 1],
	['n', '7', 1],
	['when', 'infinity', 1],
	['wide', '1.0000000000', 1],
	['wide', '-9999999999999999999999999999.9999999999', 1],
	['_OP_2', '', 1],
	['odd name; {}=()', 'y', 1],
	['note', '--null', 1],
	['price', '--null', 2],
	['is_open', '--null', 2],
	['_leaf', '--null', 3],
	['_op', 'delete', 4],
	['_position', '12', 1],
	['_leaf', 'p.2024', 1],
	['_committed_at', '1970-01-01T00:00:00.012000+00:00', 1],
]
const ask = questions.map(([name, value]): [string, string] => [name, value])
const found = questions.map(([, , rows]) => rows)

async function archive(database: string, store = fileStore(folder)) {
	const vault = openVault({ store, database })
	const table = vault.table({ schema: 'we.ird', name: 'Täble 1' })
	for (const [at, name] of names.entries()) {
		const position = 10n + BigInt(at)
		const rows = changeRows(source, [
			{ cells: cells[name] as (string | null)[], position, ordinal: 0, leaf: at === 1 ? 'p.2024' : undefined },
		])
		await table.commit({ source: 'lineage', position, segments: await table.write(rows) })
	}
	return { vault, table, path: join(folder, ...inStore(database)) }
}

const inStore = (database: string) => [database, 'we~2Eird', 'T~C3~A4ble~201']

function byPosition(rows: Record<string, unknown>[]) {
	return rows.toSorted((a, b) => Number(a._position) - Number(b._position))
}

async function expectSeen(path: string, server?: S3Server): Promise<void> {
	if (!readers) return
	const seen = await readers(path, ask, server)
	for (const [engine, rows] of Object.entries(seen.rows)) expect(byPosition(rows), engine).toEqual(allExpected)
	for (const [engine, counts] of Object.entries(seen.found))
		expect(Object.fromEntries(ask.map((pair, at) => [pair.join(' '), counts[at]])), engine).toEqual(
			Object.fromEntries(ask.map((pair, at) => [pair.join(' '), found[at]])),
		)
}

test('deltalake, polars and DuckDB read every row and value', async () => {
	const { path } = await archive('plain')
	await expectSeen(path)
})

test.skipIf(!hasS3)('they read the same from a bucket, through a checkpoint too', { timeout: 600_000 }, async () => {
	const server = await sharedS3()
	const bucket = await createBucket(server)
	const { table } = await archive('bucket', bucket.store('some/prefix'))
	const address = `s3://${bucket.name}/some/prefix/${inStore('bucket').join('/')}`
	await expectSeen(address, server)
	expect(await table.checkpoint({ every: 1 })).toBe(true)
	const log = [...inStore('bucket'), '_delta_log'].join('/')
	for (const version of [0, 1, 2])
		await bucket.store('some/prefix').delete(`${log}/${String(version).padStart(20, '0')}.json`)
	await expectSeen(address, server)
})

test('they read through a checkpoint when the entries before it are gone', async () => {
	const { table, path } = await archive('checkpointed')
	expect(await table.checkpoint({ every: 1 })).toBe(true)
	for (const version of [0, 1, 2]) await rm(join(path, '_delta_log', `${String(version).padStart(20, '0')}.json`))
	await expectSeen(path)
})

test('they read the same rows after compaction', async () => {
	const { table, path } = await archive('compacted')
	expect(await table.compact({ minSegments: 2 })).toEqual({ merged: 4, written: 1 })
	await expectSeen(path)
})

test('they read segments of several slices, and a log that names a key index and let one go', async () => {
	const table = openVault({ store: fileStore(folder), database: 'sliced' }).table({ schema: 'public', name: 't' })
	const narrow = sourceTable([column(1, 'id', 'bigint'), column(2, 'note', 'text'), column(3, 'is_open', 'boolean')])
	const cellsAt = (at: number) => [
		String((at * 7919) % 6_000),
		at % 5 === 0 ? null : createHash('sha256').update(`${at}`).digest('hex'),
		at < 3_000 ? null : 't',
	]
	for (let from = 0; from < 6_000; from += 1_000) {
		const position = BigInt(from + 1)
		const rows = Array.from({ length: 1_000 }, (_, at) => ({ cells: cellsAt(from + at), position }))
		await table.commit({ source: 'l', position, segments: await table.write(changeRows(narrow, rows)) })
		if (from === 2_000 || from === 5_000) await table.compact({ minSegments: 1 })
	}
	const entries = await readdir(join(folder, 'sliced/public/t/_delta_log'))
	const log = await Promise.all(
		entries.map((entry) => readFile(join(folder, 'sliced/public/t/_delta_log', entry), 'utf8')),
	)
	expect(log.filter((entry) => entry.includes('"remove":{"path":"_index/'))).toHaveLength(1)
	const [, note] = cellsAt(4_321)
	const id = cellsAt(77)[0] as string
	const seen = await readers?.(join(folder, 'sliced/public/t'), [
		['id', id],
		['note', note as string],
		['note', '--null'],
		['is_open', 'true'],
		['id', '6000'],
	])
	for (const [engine, rows] of Object.entries(seen?.rows ?? {})) {
		const found = new Map(rows.map((row) => [row.id, [row.note, row.is_open]]))
		expect(found.size, engine).toBe(6_000)
		for (let at = 0; at < 6_000; at++) {
			const [key = '', text, open] = cellsAt(at)
			if (`${found.get(key)}` !== `${[text, open && true]}`)
				expect(found.get(key), engine).toEqual([text, open && true])
		}
	}
	for (const [engine, counts] of Object.entries(seen?.found ?? {}))
		expect(counts, engine).toEqual([1, 1, 1_200, 3_000, 0])
})

test('they read the log of transactions', async () => {
	const { vault } = await archive('transactions')
	const rows = { customer: { deleted: 1, relinked: 0 } }
	const position = { timeline: 1, lsn: 10n }
	const one = { position, end: 11n, xid: 9, committedAt: 5_000_000n, rows, barriers: [] }
	await vault.transactions.append({ source: 'lineage', position: 10n, transactions: [one] })
	const seen = await readers?.(join(folder, 'transactions', '_transactions'), [['position', '10']])
	for (const found of Object.values(seen?.rows ?? {}))
		expect(found).toMatchObject([{ position: '10', end: '11', committed_at: '5000000', rows: JSON.stringify(rows) }])
})

test('they read records with a lineage in a log that was begun before records had one', async () => {
	await cp(new URL('golden/before-lineage', import.meta.url), join(folder, 'older'), { recursive: true })
	const { transactions } = openVault({ store: fileStore(folder), database: 'older' })
	for (const lsn of [20n, 30n]) {
		const of = { end: lsn + 1n, xid: 9, committedAt: lsn, rows: {}, barriers: [] }
		await transactions.append({
			source: 'lineage',
			position: lsn,
			transactions: [{ position: { timeline: 1, lsn }, ...of }],
		})
	}
	const entries = [0, 1, 2].map((at) =>
		join(folder, `older/_transactions/_delta_log/${`${at}`.padStart(20, '0')}.json`),
	)
	const lists = await Promise.all(entries.map(async (entry) => (await readFile(entry, 'utf8')).includes('"metaData"')))
	expect(lists).toEqual([true, true, false])
	const path = join(folder, 'older', '_transactions')
	const seen = await readers?.(path, [['lineage', 'lineage']])
	for (const [engine, rows] of Object.entries(seen?.rows ?? {})) {
		const told = rows.map(({ position, lineage }) => [Number(position), lineage]).sort()
		expect(told, engine).toEqual([
			[10, null],
			[20, 'lineage'],
			[30, 'lineage'],
		])
	}
	for (const [engine, counts] of Object.entries(seen?.found ?? {})) expect(counts, engine).toEqual([2])
})
