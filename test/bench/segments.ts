import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChangeRows } from '@reprieve/contracts'
import { fileStore, openVault, type VaultTable } from '@reprieve/vault'
import { countingStore, type Traffic } from '../support/counting.ts'
import { makeRows } from './archive.ts'
import { hold, type Outcome } from './contest.ts'
import { duckCommand, openDuck } from './duck.ts'

/** Rows of one commit, as capture flushes them in a stream of transactions. */
const commitRows = 10_000

/** Rows from columns of text to segments on the disk, beside DuckDB writing the same rows to Parquet. */
export async function benchEncode(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await openGround()
	const source = makeRows(0, rows, 'scattered')
	const written = await ground.table('first').write(source)
	const files = written.map(({ path }) => join(ground.folder, 'shop/public/first', path))
	await using duck = await openDuck(join(ground.folder, 'duck.parquet'), files)
	let round = 0
	return await hold({
		name: `encode: ${rows} rows to segments, synced / DuckDB COPY to Parquet`,
		rounds,
		ours: {
			command: 'vault.table(name).write(rows)',
			run: async () => {
				const segments = await ground.table(`round_${round++}`).write(source)
				return { rows, counts: { bytes: segments.reduce((sum, { size }) => sum + size, 0) } }
			},
		},
		yardstick: {
			command: duckCommand,
			processes: () => ({ DuckDB: duck.pid }),
			run: async () => counted(await duck.write()),
		},
	})
}

/** Segments of 10,000 scattered rows merged, sorted and indexed, beside DuckDB writing the same rows to Parquet. */
export async function benchCompact(rows: number, rounds: number): Promise<Outcome> {
	await using ground = await openGround()
	let round = 0
	let table = await fill(ground, 'first', rows)
	const files = await segmentsOf(table)
	await using duck = await openDuck(
		join(ground.folder, 'duck.parquet'),
		files.map((path) => join(ground.folder, path)),
	)
	let arrived = 0
	return await hold({
		name: `compact: ${rows} rows in segments of ${commitRows} / DuckDB COPY to Parquet`,
		rounds,
		ours: {
			command: 'vault.table(name).compact()',
			prepare: async () => {
				ground.take()
				table = await fill(ground, `round_${round++}`, rows)
				arrived = ground.take().written.data
			},
			run: async () => {
				await table.compact()
				const { data, index } = ground.take().written
				return { rows, counts: { 'bytes written per byte': (data + index) / arrived } }
			},
		},
		yardstick: {
			command: duckCommand,
			processes: () => ({ DuckDB: duck.pid }),
			run: async () => {
				const { seconds, bytes } = await duck.write()
				return { rows, seconds, counts: { 'bytes written per byte': bytes / arrived } }
			},
		},
	})
}

type Ground = AsyncDisposable & { folder: string; table(name: string): VaultTable; take(): Traffic }

async function openGround(): Promise<Ground> {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-segments-'))
	const { store, take } = countingStore(fileStore(folder))
	const vault = openVault({ store, database: 'shop' })
	return {
		...{ folder, take },
		table: (name) => vault.table({ schema: 'public', name }),
		[Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
	}
}

async function fill(ground: Ground, name: string, rows: number): Promise<VaultTable> {
	const table = ground.table(name)
	for (let from = 0; from < rows; from += commitRows) {
		const segments = await table.write(named(makeRows(from, Math.min(commitRows, rows - from), 'scattered'), name))
		await table.commit({ source: 'bench', position: BigInt(from + 1), segments })
	}
	return table
}

function named(rows: ChangeRows, name: string): ChangeRows {
	return { ...rows, table: { ...rows.table, name } }
}

async function segmentsOf(table: VaultTable): Promise<string[]> {
	const paths: string[] = []
	for await (const { object } of table.verify())
		if (object.endsWith('.parquet') && object.includes('/data/')) paths.push(object)
	return paths
}

function counted({ rows, seconds, bytes }: { rows: number; seconds: number; bytes: number }) {
	return { rows, seconds, counts: { bytes } }
}
