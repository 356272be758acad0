import { expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { archivedRows, captureGround, publish } from './ground.ts'

test('a deleted row is in the vault and its receipt in the database', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key, name text, note text)`
	await sql`insert into public.t values (1, 'one', null), (2, 'zwei ✓', '')`
	await ground.start()
	await publish(ground, 'public.t')
	await sql`delete from public.t`
	const receipt = await until(async () => (await sql`select rows, kind from reprieve.receipts`)[0], 'a receipt')
	expect(receipt).toEqual({ rows: { t: { deleted: 2, relinked: 0 } }, kind: null })
	const rows = await archivedRows(vault, 't')
	expect(rows.map((row) => row.values)).toEqual([
		{ id: '1', name: 'one', note: null },
		{ id: '2', name: 'zwei ✓', note: '' },
	])
})
