import { openStream } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'

test.each(['fails', 'waits', 'waits, then fails'])(
	'a stream whose reader %s gives its slot back, although the server has more to send',
	async (how) => {
		await using database = await freshDatabase()
		const { sql, url, name } = database
		await sql`create table public.t (id int primary key, body text)`
		await sql`create publication p for table public.t`
		const slot = `slot_${name}`
		await sql`select pg_create_logical_replication_slot(${slot}, 'pgoutput')`
		await sql`insert into public.t select n, repeat(md5(n::text), 250) from generate_series(1, 20000) n`
		const { promise: failing, reject } = Promise.withResolvers<never>()
		failing.catch(() => {})
		const fails = () => {
			throw new Error('no more')
		}
		let frames = 0
		const stream = await openStream({
			...{ url, slot, publications: ['p'] },
			onFrame: (frame) => (frame.kind !== 'data' || frames++ < 100 ? undefined : how === 'fails' ? fails() : failing),
		})
		const holder = async () =>
			(
				await sql`
			select a.pid, wait_event from pg_replication_slots s join pg_stat_activity a on a.pid = s.active_pid
			where s.slot_name = ${slot}`
			)[0]
		if (how !== 'fails') await until(async () => (await holder())?.wait_event === 'WalSenderWriteData', 'a full socket')
		if (how === 'waits, then fails') reject(new Error('no more'))
		if (how !== 'waits') await expect(stream.ended).rejects.toThrow('no more')
		await stream.close()
		await until(async () => (await holder()) === undefined, 'the slot to be free', 10_000)
		expect(frames).toBeGreaterThan(100)
	},
	60_000,
)
