import { ReprieveError } from '@reprieve/contracts'
import { expect } from 'vitest'
import { until } from '../../support/wait.ts'
import { tables } from './shop.ts'
import type { CrashWorld } from './world.ts'

/** Everything that the story deletes and rewrites, per table: what the vault must hold, once. */
export const told = {
	parent: { delete: 88 },
	child: { delete: 20 + 80 + 80 + 16 },
	note: { relink: 88 },
	aside: { delete: 10 },
} as const

const everything = { and: [] }

/**
 * What an operator does from the first start on. Each call is repeated under its own key until it is answered; nobody looks
 * after a process that dies. In the end every row is back.
 */
export async function tellStory(world: CrashWorld): Promise<void> {
	const { client } = world
	await protectAll(world)
	await deleteByHand(world)
	await client.policies.put('old', { kind: 'match', table: 'parent', where: { column: 'id', op: 'lte', value: 40 } })
	const plan = await client.plans.create({ name: 'old' }, { reason: 'crash' })
	expect(plan).toMatchObject({ status: 'ready', rows: 40 })
	await client.plans.approve({ id: plan.id, hash: plan.hash })
	const run = await finishRun(world, plan.id, 160)
	const first = await restore(world, { run })
	expect(first).toMatchObject({ restored: 120, relinked: 40, verified: 120 })
	const { planId } = await client.restores.undo(first.id)
	await finishRun(world, planId, 160)
	await cleanUpMore(world)
	await client.tokens.create({ name: 'crash', role: 'viewer' })
	await restoreAll(world)
	await client.tables.unprotect({ tables: ['aside'] })
}

async function protectAll({ client }: CrashWorld): Promise<void> {
	for (;;) {
		const answer = await client.tables.protect({ tables: ['parent', 'aside'], wait: 20 })
		const closed = answer.tables.flatMap(({ restorability }) => restorability.findings)
		if (closed.length === 0) return
		// Capture may be on its way back: what it is asked again is the same.
		expect(closed.map(({ code }) => code)).not.toContain('refusedByPostgres')
	}
}

/** By an application that knows nothing of reprieve. */
async function deleteByHand({ database: { sql } }: CrashWorld): Promise<void> {
	for (let id = 41; id <= 50; id++) await sql`delete from public.child where parent_id = ${id}`
	for (let id = 1; id <= 10; id++) await sql`delete from public.aside where id = ${id}`
}

async function finishRun({ client }: CrashWorld, planId: string, rows: number): Promise<string> {
	const { id, finished } = await whenRestorable(() =>
		client.runs.start({ planId, reason: 'crash', batch: { rows: 12 } }),
	)
	const run = await finished()
	expect(run).toMatchObject({ status: 'succeeded', planned: rows, archived: rows, drifted: 0, collateral: 0 })
	expect(run.deleted + run.relinked).toBe(rows)
	return id
}

async function cleanUpMore({ client }: CrashWorld): Promise<void> {
	const where = { column: 'id', op: 'gt', value: 52 } as const
	const { finished } = await whenRestorable(() => client.cleanup.match({ table: 'parent', where, reason: 'crash' }))
	expect(await finished()).toMatchObject({ status: 'succeeded', planned: 32, archived: 32 })
}

/** Without a capture nothing may be deleted: the operator asks again when there is one. */
async function whenRestorable<T>(ask: () => Promise<T>): Promise<T> {
	return await until(
		() =>
			ask().catch((error: unknown) => {
				if (error instanceof ReprieveError && error.code === 'NOT_RESTORABLE') return undefined
				throw error
			}),
		'capture to come back',
		60_000,
	)
}

type Selection = Parameters<CrashWorld['client']['restores']['preview']>[0]['selection']

async function restore({ client }: CrashWorld, selection: Selection) {
	const { hash } = await client.restores.preview({ selection })
	const { finished } = await client.restores.start({ selection, hash, reason: 'crash' })
	const restored = await finished()
	expect(restored).toMatchObject({ status: 'succeeded', conflicts: 0 })
	return restored
}

async function restoreAll(world: CrashWorld): Promise<void> {
	for (const table of tables) await restore(world, { table, where: everything })
}
