import { adopt } from '@reprieve/sidecar'
import { expect, test } from 'vitest'
import { archivedRows, captureGround, publish } from './ground.ts'

// The server writes gigabytes of text on its way to refuse them.
test('a deleted value that the server cannot write as text stops capture, until the gap that it leaves is adopted', async () => {
	await using ground = await captureGround()
	const { sql, vault, url } = ground
	await sql`create table public.t (id int primary key, bits varbit)`
	// 1.3e9 characters of text in two megabytes.
	await sql`insert into public.t select 1, e || e from (select d || d from (select c || c from (
		select b || b from (select b''::bit(83886080)::varbit) a(b)) b(c)) c(d)) d(e)`
	await sql`insert into public.t values (2, '1'), (3, '0')`
	const capture = await ground.start()
	await publish(ground, 'public.t')
	await sql`delete from public.t where id = 2`
	await ground.barrier()
	await sql`delete from public.t where id = 1`
	const stopped = { code: 'CAPTURE_GAP', incident: { code: 'UNDECODABLE', stopsCapture: true } }
	await expect(capture.ended).rejects.toMatchObject(stopped)
	const again = await ground.start()
	await expect(again.ended).rejects.toMatchObject(stopped)
	expect(await sql`select code, message, remedy from reprieve.incidents where resolved_at is null`).toMatchObject([
		{
			code: 'UNDECODABLE',
			message: expect.stringMatching(/cannot decode a transaction.*invalid memory alloc request size/),
			remedy: expect.stringContaining('docs/how-to/undecodable.md'),
		},
	])

	await adopt({ databaseUrl: url }, { vault, principal: 'ann' })
	await ground.start()
	await sql`delete from public.t where id = 3`
	await ground.barrier()
	expect((await archivedRows(vault, 't')).length).toBe(2)
	expect(await sql`select from reprieve.capture_gaps`).toHaveLength(1)
	expect((await sql`select resolved_by from reprieve.incidents`)[0]?.resolved_by).toBe('ann')
}, 240_000)
