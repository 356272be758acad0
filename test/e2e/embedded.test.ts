import { chown, mkdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findBinaries, launchPostgres } from '@reprieve/standalone/embedded'
import { loadSample } from '@reprieve/standalone/sample'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { smallSample } from '../support/sample.ts'
import { until } from '../support/wait.ts'
import { launch, openFolder } from './launcher.ts'

const program = fileURLToPath(new URL('./embedded-program.ts', import.meta.url))
const isRoot = process.getuid?.() === 0

test('a restart keeps data, port and password', async () => {
	await using folder = await openFolder()
	const options = { binaries: await findBinaries(), data: join(folder.path, 'pg/data'), noSync: true }
	const first = await launchPostgres(options)
	await query(first.url, 'create table kept as select 42 as n')
	await first.stop()
	const second = await launchPostgres(options)
	try {
		expect(second.url).toBe(first.url)
		expect(await query(second.url, 'select n from kept')).toEqual([{ n: 42 }])
		expect(await query(second.url, 'show fsync')).toEqual([{ fsync: 'on' }])
	} finally {
		await second.stop()
	}
})

test('a start after everything was killed stops the orphan server and keeps what was committed', async () => {
	await using folder = await openFolder()
	const killed = launch([program, folder.path], {})
	const { url, pid } = await announced(killed)
	await query(url, 'create table kept as select 42 as n')
	killed.child.kill('SIGKILL')
	expect(await killed.ended).toBe('SIGKILL')
	expect(await isAlive(pid)).toBe(true)
	await using next = launch([program, folder.path], {})
	const again = await announced(next)
	expect(await isAlive(pid)).toBe(false)
	expect(await query(again.url, 'select n from kept')).toEqual([{ n: 42 }])
})

test('a server that was killed leaves a stale pid file that does not stop the next start', async () => {
	await using folder = await openFolder()
	const options = { binaries: await findBinaries(), data: join(folder.path, 'pg/data'), noSync: true }
	const first = await launchPostgres(options)
	process.kill(first.pid, 'SIGKILL')
	await first.ended
	const pidFile = join(options.data, 'postmaster.pid')
	const lines = (await readFile(pidFile, 'utf8')).split('\n')
	await writeFile(pidFile, [String(process.pid), ...lines.slice(1)].join('\n'))
	const second = await launchPostgres(options)
	await second.stop()
})

test('a second start on the same folder is refused and names the first', async () => {
	await using folder = await openFolder()
	await using first = launch([program, folder.path], {})
	await announced(first)
	const second = launch([program, folder.path], {})
	expect(await second.ended).toBe(1)
	expect(second.output()).toContain(`CONFLICT: ${folder.path} is in use by process ${first.child.pid}`)
})

test('a killed initdb leaves nothing that the next start takes for a cluster', async () => {
	await using folder = await openFolder()
	const data = join(folder.path, 'pg/data')
	await mkdir(`${data}.making`, { recursive: true })
	await writeFile(join(`${data}.making`, 'PG_VERSION'), '18\n')
	const cluster = await launchPostgres({ binaries: await findBinaries(), data, noSync: true })
	await cluster.stop()
	await expect(stat(`${data}.making`)).rejects.toThrow('ENOENT')
})

test('a half-filled sample is made anew, and the same seed gives the same rows', { timeout: 120_000 }, async () => {
	await using folder = await openFolder()
	const options = { binaries: await findBinaries(), data: join(folder.path, 'pg/data'), noSync: true }
	const cluster = await launchPostgres(options)
	try {
		await query(cluster.url, 'create database shop_loading')
		await query(cluster.url.replace(/postgres$/, 'shop_loading'), 'create table customers (half int)')
		expect(await loadSample(cluster.url, 'shop', smallSample)).toBe(true)
		expect(await loadSample(cluster.url, 'shop', smallSample)).toBe(false)
		expect(await loadSample(cluster.url, 'twin', smallSample)).toBe(true)
		const digest = `select md5(string_agg(md5(c::text), '' order by id)) as customers,
			(select md5(string_agg(md5(l::text), '' order by order_id, line)) from order_lines l) as lines,
			(select md5(string_agg(md5(o::text), '' order by id)) from curiosities o) as curiosities from customers c`
		const [shop, twin] = ['shop', 'twin'].map((name) => cluster.url.replace(/postgres$/, name)) as [string, string]
		expect(await query(shop, digest)).toEqual(await query(twin, digest))
	} finally {
		await cluster.stop()
	}
})

test.runIf(isRoot)('root below a private folder gets a cluster that the server can reach', async () => {
	await using folder = await openFolder()
	const hidden = join(folder.path, 'private')
	await mkdir(hidden, { mode: 0o700 })
	const data = join(hidden, 'data')
	const first = launch([program, data], {})
	await announced(first)
	first.child.kill('SIGTERM')
	expect(await first.ended).toBe(0)
	const link = await readlink(join(data, 'postgres'))
	expect(dirname(link)).toBe('/var/lib/reprieve')
	await rm(link, { recursive: true })
})

test.runIf(isRoot)('a normal user runs the server as himself', async () => {
	await using folder = await openFolder()
	const home = join(folder.path, 'home')
	await mkdir(home)

	await chown(home, 65534, 65534)
	await using started = launch([program, join(home, 'data')], {}, 65534)
	const { pid } = await announced(started)
	expect((await stat(`/proc/${pid}`)).uid).toBe(65534)
})

async function announced(started: ReturnType<typeof launch>): Promise<{ url: string; pid: number }> {
	const line = await until(
		() => started.output().match(/^\{.*\}$/m)?.[0] ?? (started.child.exitCode === null ? '' : started.output()),
		'the cluster',
		30_000,
	)
	return JSON.parse(line)
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
	const sql = postgres(url, { max: 1, onnotice: () => {} })
	try {
		return [...(await sql.unsafe(text))]
	} finally {
		await sql.end({ timeout: 5 })
	}
}

/** A zombie, which nobody waits for in a container, has ended. */
async function isAlive(pid: number): Promise<boolean> {
	const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
	return text !== '' && !/\) Z /.test(text)
}
