import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PostgresVersion } from '../support/postgres.ts'
import { type Ground, openGround } from './ground.ts'
import { columns } from './odd/columns.ts'
import { full } from './odd/full.ts'
import { keys, keysFirst } from './odd/keys.ts'
import { names } from './odd/names.ts'
import { hostileSettings } from './odd/settings.ts'
import { endless, renamedLabels, types, typesFirst } from './odd/types.ts'

/**
 * Every odd table vanishes and comes back, in a database whose settings are hostile: by plain SQL in one transaction, and
 * where `byRun` each by a run as well.
 */
export function describeVersion(version: PostgresVersion, { byRun }: { byRun: boolean }): void {
	const all = [...types, endless, renamedLabels, ...keys, ...names, ...columns, ...full]
	const odd = all.filter(({ since }) => since === undefined || since <= version)
	const tables = odd.map(({ table }) => table)

	describe(`PostgreSQL ${version}, under hostile settings`, () => {
		let ground: Ground

		beforeAll(async () => {
			ground = await openGround(version, async (sql, { name }) => {
				for (const statement of [...typesFirst, ...keysFirst, ...odd.flatMap(({ make }) => make)])
					await sql.unsafe(statement)
				for (const statement of hostileSettings(name, version)) await sql.unsafe(statement)
			})
			await ground.keep(tables)
			await ground.protect(tables)
		}, 120_000)
		afterAll(async () => await ground?.[Symbol.asyncDispose]())

		test.for(byRun ? odd : [])('brings back $what, deleted by a run', { timeout: 240_000 }, async ({ table }) => {
			const restore = await ground.bringBack({ selection: await ground.emptyByRun(table) })
			expect(restore).toMatchObject({ status: 'succeeded', conflicts: 0, skipped: 0, restored: restore.selected })
			expect(await ground.differences(table)).toEqual([])
		})

		test('brings back all of them, deleted in one transaction by plain SQL', { timeout: 240_000 }, async () => {
			const restore = await ground.bringBack({ selection: await ground.emptyBySql(tables) })
			expect(restore).toMatchObject({ status: 'succeeded', conflicts: 0, skipped: 0, restored: restore.selected })
			const differences = await Promise.all(tables.map((table) => ground.differences(table)))
			expect(differences.flat()).toEqual([])
		})
	})
}
