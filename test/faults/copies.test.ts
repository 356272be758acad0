import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openSessions } from '@reprieve/postgres'
import { adopt } from '@reprieve/sidecar'
import { type Cluster, launchPostgres } from '@reprieve/standalone/embedded'
import { expect, test } from 'vitest'
import { archivedRows, type CaptureGround, captureGroundOf, publish } from '../capture/ground.ts'
import { postgresBinaries } from '../support/postgres.ts'
import { until } from '../support/wait.ts'

const timeout = 180_000

test('a database put back to a copy stops capture, says so, and goes on when it is adopted', { timeout }, async () => {
	await using scene = await startScene()
	const { ground, sql } = scene
	const first = await ground.start()
	await remove(ground, 1)
	await first.stop()
	await scene.copyTo('copy')
	const second = await ground.start()
	await remove(ground, 2)
	await second.stop()
	await scene.putBack('copy')
	expect((await sql`select id from public.t order by id limit 1`)[0]?.id).toBe(2)

	const rewound = await ground.start()
	const message = expect.stringContaining('it was rewound or cloned')
	await expect(rewound.ended).rejects.toMatchObject({ incident: { code: 'DATABASE_REWOUND', message } })
	const [incident] = await sql`select code, remedy from reprieve.incidents`
	expect(incident).toEqual({ code: 'DATABASE_REWOUND', remedy: expect.stringContaining('pnpm start --adopt') })
	expect(await ids(ground)).toEqual(['1', '2'])

	await adopt({ databaseUrl: ground.url }, { vault: ground.vault, principal: 'ann' })
	await ground.start()
	await remove(ground, 2, 3)
	expect((await ids(ground)).sort()).toEqual(['1', '2', '2', '3'])
	expect(await sql`select reason from reprieve.capture_gaps`).toHaveLength(1)
	const deletions = (await Array.fromAsync(ground.vault.transactions.read({}))).filter(({ rows }) => rows.t)
	expect(deletions).toHaveLength(4)
})

test('a clone with the same vault brings nothing into it, and the database that it was made of goes on', {
	timeout,
}, async () => {
	await using scene = await startScene()
	const { ground, sql } = scene
	const first = await ground.start()
	await remove(ground, 1)
	await first.stop()
	await scene.copyTo('clone')
	const clone = await scene.startClone('clone')
	const cloneSql = openSessions(clone.url, { applicationName: 'test' })
	try {
		await ground.start()
		await remove(ground, 2)
		const nonce = async () => (await sql`select nonce from reprieve.lineages`)[0]?.nonce
		const before = (await cloneSql`select nonce from reprieve.lineages`)[0]?.nonce
		await until(async () => (await nonce()) !== before, 'an acknowledgement')
		const other = await ground.start({ databaseUrl: clone.url })
		await cloneSql`delete from public.t where id = 9`
		await expect(other.ended).rejects.toMatchObject({ incident: { code: 'DATABASE_REWOUND', stopsCapture: true } })
		expect((await cloneSql`select code from reprieve.incidents`).map(({ code }) => code)).toEqual(['DATABASE_REWOUND'])
		await remove(ground, 3)
		expect(await ids(ground)).toEqual(['1', '2', '3'])
		expect(await sql`select code from reprieve.incidents`).toEqual([])
	} finally {
		await cloneSql.end({ timeout: 5 })
	}
})

async function startScene() {
	await using stack = new AsyncDisposableStack()
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-copies-'))
	await chmod(folder, 0o755)
	stack.defer(() => rm(folder, { recursive: true, force: true }))
	const binaries = await postgresBinaries(18)
	const open = (name: string): Promise<Cluster> =>
		launchPostgres({
			...{ binaries, data: join(folder, name, 'data'), noSync: true },
			settings: { fsync: 'off', shared_buffers: '64MB' },
		})
	const copy = async (from: string, to: string) => {
		await rm(join(folder, to), { recursive: true, force: true })
		await promisify(execFile)('cp', ['-a', join(folder, from), join(folder, to)])
	}
	let cluster = await open('server')
	stack.defer(() => cluster.stop())
	const sql = openSessions(cluster.url, { applicationName: 'test' })
	const end = () => sql.end({ timeout: 5 })
	const database = { url: cluster.url, name: 'postgres', sql, [Symbol.asyncDispose]: end }
	const ground = stack.use(await captureGroundOf(database))
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 10)`
	const opening = await ground.start()
	await publish(ground, 'public.t')
	await opening.stop()
	const owned = stack.move()
	return {
		...{ ground, sql },
		async copyTo(name: string) {
			await cluster.stop()
			await copy('server', name)
			cluster = await open('server')
		},
		async putBack(name: string) {
			await cluster.stop()
			await copy(name, 'server')
			cluster = await open('server')
		},
		async startClone(name: string) {
			await rm(join(folder, name, 'postgres-port'), { force: true })
			const clone = await open(name)
			owned.defer(() => clone.stop())
			return clone
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

async function remove(ground: CaptureGround, ...rows: number[]): Promise<void> {
	for (const id of rows) await ground.sql`delete from public.t where id = ${id}`
	await ground.barrier(60_000)
}

async function ids({ vault }: CaptureGround) {
	return (await archivedRows(vault, 't')).map(({ values }) => values.id)
}
