import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { constants, zstdCompressSync } from 'node:zlib'
import { encodeFrame } from '@reprieve/cdc'
import type { ArchivedTransaction, ChangeRows } from '@reprieve/contracts'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { changeRows, column, sourceTable } from '../vault/rows.ts'

/**
 * `pnpm exec node test/bench/sizes.ts`: bytes that one archived row costs in segments, log entries, checkpoints, receipts
 * and frames. Nothing is timed: the numbers are those of any machine.
 */
const table = sourceTable([
	column(1, 'id', 'bigint'),
	column(2, 'customer', 'bigint'),
	column(3, 'email', 'text'),
	column(4, 'status', 'text'),
	column(5, 'total', 'numeric'),
	column(6, 'created_at', 'timestamp with time zone'),
	column(7, 'updated_at', 'timestamp with time zone'),
	column(8, 'note', 'text'),
	column(9, 'reference', 'uuid'),
	column(10, 'paid', 'boolean'),
])

function rowsFrom(start: number, count: number): ChangeRows {
	return changeRows(
		table,
		Array.from({ length: count }, (_, at) => ({
			cells: cellsOf(start + at),
			position: BigInt(start + at + 1) * 0x100n,
			committedAt: 1_750_000_000_000_000n + BigInt(start + at) * 1000n,
		})),
	)
}

function cellsOf(id: number): string[] {
	const noise = createHash('md5').update(String(id)).digest('hex')
	const second = String(id % 60).padStart(2, '0')
	return [
		String(id),
		String(Number.parseInt(noise.slice(0, 6), 16)),
		`${noise.slice(0, 10)}@example.org`,
		['new', 'paid', 'shipped', 'returned'][id % 4] as string,
		`${Number.parseInt(noise.slice(6, 10), 16)}.${String(id % 100).padStart(2, '0')}`,
		`2026-01-0${(id % 9) + 1} 12:34:${second}.${noise.replace(/\D/g, '').padEnd(6, '0').slice(0, 6)}+00`,
		`2026-02-0${(id % 9) + 1} 21:43:${second}+00`,
		`note ${noise} on what was agreed`,
		noise.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
		id % 3 === 0 ? 'f' : 't',
	]
}

async function bytesIn(folder: string, pattern: RegExp): Promise<{ bytes: number; files: number }> {
	const names = (await readdir(folder)).filter((name) => pattern.test(name))
	const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
	return { bytes: sizes.reduce((sum, size) => sum + size, 0), files: names.length }
}

const lineage = '0123456789abcdef0123456789abcdef'

/** `flushes` commits of `perFlush` rows each; then what lies in the table's folder. */
async function measureTable(flushes: number, perFlush: number): Promise<void> {
	await using ground = await openGround()
	const archive = ground.vault.table(table)
	for (let flush = 0; flush < flushes; flush++) {
		const rows = rowsFrom(flush * perFlush, perFlush)
		await archive.commit({
			source: lineage,
			position: rows.position[perFlush - 1] as bigint,
			segments: await archive.write(rows),
		})
	}
	const folder = join(ground.folder, 'app', 'public', 'customer')
	const [data, entries] = [
		await bytesIn(join(folder, 'data'), /parquet$/),
		await bytesIn(join(folder, '_delta_log'), /\.json$/),
	]
	await archive.checkpoint({ every: 1 })
	const checkpoint = await bytesIn(join(folder, '_delta_log'), /checkpoint\.parquet$/)
	const before = new Set(await readdir(join(folder, 'data')))
	await archive.compact({ minSegments: 2 })
	const merged = (await readdir(join(folder, 'data'))).filter((name) => !before.has(name))
	const sizes = await Promise.all(merged.map(async (name) => (await stat(join(folder, 'data', name))).size))
	const rows = flushes * perFlush
	print(`${flushes} flushes of ${perFlush} rows`, {
		'segment, bytes a row': data.bytes / rows,
		'log entry, bytes': entries.bytes / entries.files,
		'checkpoint, bytes a segment': checkpoint.bytes / data.files,
		'rows a merged segment': merged.length > 0 ? rows / merged.length : null,
		'merged segment, bytes a row': merged.length > 0 ? sizes.reduce((sum, size) => sum + size, 0) / rows : null,
	})
}

/** Receipts of transactions, so many an entry. */
async function measureTransactions(entries: number, perEntry: number): Promise<void> {
	await using ground = await openGround()
	for (let entry = 0; entry < entries; entry++) {
		const transactions = Array.from({ length: perEntry }, (_, at) => transactionAt(entry * perEntry + at + 1))
		const position = transactions.at(-1)?.end as bigint
		await ground.vault.transactions.append({ source: lineage, position, transactions })
	}
	const folder = join(ground.folder, 'app', '_transactions')
	const all = (await readdir(folder, { recursive: true })).filter((name) => /\.(json|parquet)$/.test(name))
	const sizes = await Promise.all(all.map(async (name) => (await stat(join(folder, name))).size))
	print(`${entries} entries of ${perEntry} receipts`, {
		'bytes a transaction': sizes.reduce((sum, size) => sum + size, 0) / (entries * perEntry),
		'objects an entry': all.length / entries,
	})
}

function transactionAt(at: number): ArchivedTransaction {
	return {
		position: { timeline: 1, lsn: BigInt(at) * 0x100n },
		end: BigInt(at) * 0x100n + 0x40n,
		xid: at,
		committedAt: 1_750_000_000_000_000n + BigInt(at) * 1000n,
		rows: { 'public.customer': { deleted: 1, relinked: 0 } },
		barriers: [],
	}
}

/** One frame of so many rows; on the broker's disk it is what zstd leaves of it. */
function measureFrame(count: number): void {
	const header = {
		...{ database: 'app', lineage, epoch: 1, session: lineage, topic: 'reprieve.app.public.customer', partition: 0 },
		predecessor: { position: 1n, ordinal: 0 },
		isUrgent: false,
	}
	const records = encodeFrame(
		{ kind: 'rows', header, rows: rowsFrom(0, count), isComplete: true },
		{ key: Buffer.alloc(32, 1), maxRecordBytes: 900_000 },
	)
	const packed = records.map((record) =>
		zstdCompressSync(record, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
	)
	const bytes = (parts: Uint8Array[]) => parts.reduce((sum, { length }) => sum + length, 0) / count
	print(`a frame of ${count} rows`, { 'bytes a row': bytes(records), 'bytes a row, zstd': bytes(packed) })
}

async function openGround(): Promise<AsyncDisposable & { folder: string; vault: Vault }> {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-sizes-'))
	const vault = openVaultAt(pathToFileURL(folder).href, 'app')
	return { folder, vault, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

function print(what: string, numbers: Record<string, number | null>): void {
	const shown = Object.entries(numbers).map(
		([name, value]) => `${name} ${value === null ? '-' : Number(value.toFixed(1))}`,
	)
	console.log(`${what}: ${shown.join('; ')}`)
}

const text = cellsOf(123_456).join('').length
print('one row', { columns: table.columns.length, 'bytes of text': text })
await measureTable(100, 1)
await measureTable(100, 100)
await measureTable(75, 4_000)
await measureTable(4, 50_000)
await measureTransactions(100, 1)
await measureTransactions(20, 500)
measureFrame(1)
measureFrame(100)
measureFrame(4_000)
