import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchOptions } from '../child.ts'
import { fillTable, makeTable } from '../ground.ts'
import { pgbench } from '../pgbench.ts'
import type { Report } from '../report.ts'
import { describeLoad } from './describe.ts'
import { type LoadGround, sizeOf, startLoadGround, type Way } from './ground.ts'
import { watch } from './watch.ts'

const rowsPerTransaction = 100

/** Deletes at a steady rate: `seconds` (default 600) at `rows` rows a second (default 5000), 100 a transaction. */
export async function loadSteady({ seconds = 600, rows = 5_000 }: BenchOptions, way: Way): Promise<Report> {
	await using ground = await startLoadGround(way)
	await protectFilled(ground, ['steady'], seconds * rows)
	let late = 0
	const watched = await watch(ground, async () => {
		late = await atRate(seconds, rows / rowsPerTransaction, async (at) => {
			const from = at * rowsPerTransaction
			await ground.sql`delete from public.steady where id > ${from} and id <= ${from + rowsPerTransaction}`
		})
	})
	return describeLoad(
		`load-steady (${way}): ${rows} rows/s for ${seconds} s, ${rowsPerTransaction} a transaction`,
		watched,
		[`the deleting connection ended ${late.toFixed(1)} s late`, await sizeOf(ground.folder)],
	)
}

/** A hundred tables at once: `rows` (default 5000) of each, every transaction deletes ten rows of every table. */
export async function loadTables({ rows = 5_000 }: BenchOptions, way: Way): Promise<Report> {
	await using ground = await startLoadGround(way)
	const tables = Array.from({ length: 100 }, (_, at) => `load_${at}`)
	await protectFilled(ground, tables, rows)
	const began = performance.now()
	const watched = await watch(ground, async () => {
		for (let from = 0; from < rows; from += 10) {
			await ground.sql.begin(async (tx) => {
				await tx.unsafe(
					tables.map((name) => `delete from public.${name} where id > ${from} and id <= ${from + 10}`).join(';'),
				)
			})
		}
	})
	const speed = (tables.length * rows * 1000) / (performance.now() - began)
	return describeLoad(
		`load-tables (${way}): ${tables.length} tables, ${rows} rows of each, ten of each a transaction`,
		watched,
		[`${Math.round(speed)} rows/s to the last receipt`, await sizeOf(ground.folder)],
	)
}

/** A thousand protected tables with few changes: one row of one table ten times a second, for `seconds` (default 120). */
export async function loadProtected({ seconds = 120 }: BenchOptions, way: Way): Promise<Report> {
	await using ground = await startLoadGround(way)
	const tables = Array.from({ length: 1_000 }, (_, at) => `quiet_${at}`)
	const protecting = await protectFilled(ground, tables, 10)
	const watched = await watch(ground, async () => {
		await atRate(seconds, 10, async (at) => {
			const name = tables[(at * 7919) % tables.length] as string
			await ground.sql.unsafe(`delete from public.${name} where id = ${1 + (Math.floor(at / tables.length) % 10)}`)
		})
	})
	return describeLoad(
		`load-protected (${way}): ${tables.length} protected tables, ten rows a second for ${seconds} s`,
		watched,
		[`protected by one call in ${protecting.toFixed(1)} s`, await sizeOf(ground.folder)],
	)
}

/** `rows` (default 1e6) in one transaction. */
export async function loadTransaction({ rows = 1_000_000 }: BenchOptions, way: Way): Promise<Report> {
	await using ground = await startLoadGround(way)
	await protectFilled(ground, ['large'], rows)
	let committed = 0
	const watched = await watch(ground, async () => {
		await ground.sql`delete from public.large`
		committed = performance.now()
		await ground.client.archive.barrier({ timeoutMs: 600_000 })
		committed = (performance.now() - committed) / 1000
	})
	return describeLoad(`load-transaction (${way}): ${rows} rows in one transaction`, watched, [
		`commit to receipt in ${committed.toFixed(1)} s (${Math.round(rows / committed)} rows/s)`,
		await sizeOf(ground.folder),
	])
}

/** Tiny transactions: `rows` a second (default 10,000) of one row each for `seconds` (default 60), by pgbench. */
export async function loadTiny({ seconds = 60, rows = 10_000 }: BenchOptions, way: Way): Promise<Report> {
	await using ground = await startLoadGround(way)
	await protectFilled(ground, ['tiny'], seconds * rows)
	await ground.sql`create sequence public.next_tiny cache 1000`
	let said = ''
	const watched = await watch(ground, async () => {
		said = await deleteTiny(ground.url, `delete from public.tiny where id = (select nextval('public.next_tiny'))`, {
			seconds,
			rows,
		})
	})
	return describeLoad(`load-tiny (${way}): ${rows} transactions a second of one row for ${seconds} s`, watched, [
		...said.split('\n').filter((line) => /tps|latency average|schedule lag/.test(line)),
		await sizeOf(ground.folder),
	])
}

/** Seconds that protecting them all took. */
async function protectFilled(ground: LoadGround, tables: string[], rows: number): Promise<number> {
	for (const name of tables) await makeTable(ground.sql, name)
	const began = performance.now()
	await ground.client.tables.protect({ tables, wait: 60 })
	const seconds = (performance.now() - began) / 1000
	for (const name of tables) await fillTable(ground.sql, name, rows)
	await ground.client.archive.barrier({ timeoutMs: 600_000 })
	return seconds
}

/** Calls `work` so many times a second on a fixed schedule; answers by how many seconds the last was late. */
async function atRate(seconds: number, perSecond: number, work: (at: number) => Promise<void>): Promise<number> {
	const began = performance.now()
	const count = seconds * perSecond
	for (let at = 0; at < count; at++) {
		const early = began + (at * 1000) / perSecond - performance.now()
		if (early > 1) await new Promise((resolve) => setTimeout(resolve, early))
		await work(at)
	}
	return (performance.now() - began) / 1000 - seconds
}

async function deleteTiny(url: string, statement: string, rate: { seconds: number; rows: number }): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-pgbench-'))
	try {
		const script = join(folder, 'tiny.sql')
		await writeFile(script, `${statement};\n`)
		const clients = ['-n', '-M', 'prepared', '-c', '8', '-j', '1']
		return await pgbench(url, [...clients, '-T', `${rate.seconds}`, '-R', `${rate.rows}`, '-f', script])
	} finally {
		await rm(folder, { recursive: true })
	}
}
