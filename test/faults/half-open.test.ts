import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { archivedRows, captureGround, publish } from '../capture/ground.ts'
import { until } from '../support/wait.ts'
import { startProxy } from './proxy.ts'

test('a replication stream that hangs is opened anew, and nothing is lost or comes twice', {
	timeout: 180_000,
}, async () => {
	await using ground = await captureGround()
	const { sql, name } = ground
	await sql.unsafe(`alter database ${name} set wal_sender_timeout = '3s'`)
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 20)`
	await using proxy = await startProxy(ground.url)
	const said: string[] = []
	const log = pino(new Writable({ write: (line, _encoding, done) => done(void said.push(String(line))) }))
	await ground.start({ databaseUrl: proxy.url }, { log })
	await publish(ground, 'public.t')
	await sql`delete from public.t where id <= 10`
	await ground.barrier()

	expect(proxy.hang('replication')).toBe(1)
	await sql`delete from public.t where id > 10`
	await ground.barrier(60_000)
	const ids = (await archivedRows(ground.vault, 't')).map(({ values }) => Number(values.id))
	expect(ids).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
	expect(said.join('')).toContain('has not answered on the replication stream for 3000 ms')
	expect(await sql`select code from reprieve.incidents`).toEqual([])
})

test('a quiet stream is asked for a sign, and is not taken for dead', { timeout: 60_000 }, async () => {
	await using ground = await captureGround()
	const { sql, name } = ground
	await sql.unsafe(`alter database ${name} set wal_sender_timeout = '2s'`)
	let starts = 0
	const onState = (state: string) => void (state === 'streaming' && starts++)
	await ground.start({ heartbeatMs: 3_600_000 }, { onState })
	const now = async () => Date.parse((await sql`select clock_timestamp() as at`)[0]?.at)
	const first = await now()
	await until(async () => (await now()) > first + 6_000, 'six quiet seconds', 40_000)
	expect(starts).toBe(1)
})
