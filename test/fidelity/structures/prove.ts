import { type PreviewInput, quoteTable, type ReprieveError, type Selection } from '@reprieve/contracts'
import postgres from 'postgres'
import { expect } from 'vitest'
import { type Case, type Structure, schemaOf } from './case.ts'
import type { Ground } from './ground.ts'
import { differences, keepRows, listTables, pictureOf, readSequenceValues, validateConstraints } from './picture.ts'
import type { Refusal } from './refusals.ts'
import type { Work } from './transactions.ts'

/** Makes the structures' tables with their rows, and protects all of them. */
export async function build(ground: Ground, structures: Structure[]): Promise<void> {
	const { sql, client } = ground
	for (const structure of structures) await create(ground, structure)
	for (const [truncate, alike] of Map.groupBy(structures, (structure) => structure.truncate)) {
		const tables = (await Promise.all(alike.map((structure) => namesOf(sql, structure)))).flat()
		const acknowledge = alike.flatMap((structure) =>
			(structure.acknowledge ?? []).map((code) => code.replaceAll('$', schemaOf(structure))),
		)
		const answer = await client.tables.protect({ tables, acknowledge, truncate, wait: 60 })
		expect(answer.tables.filter(({ restorability }) => restorability.status !== 'ready')).toEqual([])
	}
}

async function create(ground: Ground, structure: Structure): Promise<void> {
	const schema = schemaOf(structure)
	await ground.sql.unsafe(`create schema ${schema}`)
	await workOn(ground, structure, [structure.ddl.replaceAll('$.', `${schema}.`), structure.rows])
}

/** A table is not protected, with one finding, and as it was; accepted, a run fails and deletes nothing. */
export async function proveRefusal(ground: Ground, refused: Refusal): Promise<void> {
	const schema = schemaOf(refused)
	const named = (text: string) => text.replaceAll('$', schema)
	await create(ground, refused)
	const unprotected = await snapshot(ground, refused)
	const { tables } = await ground.client.tables.protect({ tables: [`${schema}.t`] })
	const findings = tables[0]?.restorability.findings.filter(
		({ table }) => table === undefined || table === `${schema}.t`,
	)
	const { code, message } = refused
	const found = { code, remedy: named(refused.remedy), ...(message && { message: named(message) }) }
	expect(findings).toMatchObject([found])
	await unprotected.expectSame()
	if (!refused.accepted) return
	const { by, told, failure } = refused.accepted
	await ground.client.tables.protect({ tables: [`${schema}.t`], acknowledge: [named(by)], wait: 60 })
	const before = await snapshot(ground, refused)
	const failed = await emptyByRun(ground, `${schema}.t`, told).then(
		() => ({ code: '', message: '' }),
		(error: unknown) => error as ReprieveError,
	)
	expect({ code: failed.code, message: failed.message }).toEqual({ ...failure, message: named(failure.message) })
	await before.expectSame()
}

/** A structure's tables, the oldest first. */
async function namesOf(sql: Ground['sql'], structure: Pick<Structure, 'name'>): Promise<string[]> {
	const schema = schemaOf(structure)
	return (await listTables(sql, schema)).map(({ name }) => `${schema}.${name}`)
}

/** Empties a case by plans and runs, restores all of it at once, and compares. */
export async function proveRuns(ground: Ground, made: Case): Promise<void> {
	const before = await snapshot(ground, made)
	const runs: string[] = []
	for (const name of await namesOf(ground.sql, made)) {
		const run = await emptyByRun(ground, name)
		if (run !== undefined) runs.push(run)
	}
	await expectEmpty(ground, made)
	await restoreAll(ground, runs.length === 1 ? { run: runs[0] as string } : await selectRuns(ground, runs))
	await before.expectSame()
}

/** Empties a case by plain SQL in one transaction, restores that transaction, and compares. */
export async function proveTransaction(ground: Ground, made: Case): Promise<void> {
	const before = await snapshot(ground, made)
	const names = await namesOf(ground.sql, made)
	const deletes = names.toReversed().map((name) => `delete from ${name}`)
	await workOn(ground, made, [`begin; ${made.delete ?? deletes.join(';')}; commit`])
	await expectEmpty(ground, made)
	const changes = await archivedSince(ground, made, before.since)
	expect(new Set(changes.map((change) => change.transaction)).size).toBe(1)
	await restoreAll(ground, { transaction: changes[0]?.transaction ?? '' })
	await before.expectSame()
}

/** Does what was asked, looks at what was archived of it, restores all of that at once, and compares. */
export async function proveWork(ground: Ground, asked: Work): Promise<void> {
	const before = await snapshot(ground, asked)
	if (asked.isBehind) await behindCapture(ground, () => workOn(ground, asked, asked.work))
	else await workOn(ground, asked, asked.work)
	const changes = await archivedSince(ground, asked, before.since)
	const kinds = Object.groupBy(changes, ({ table, op }) => `${table.split('.')[1]} ${op}`)
	expect(Object.fromEntries(Object.entries(kinds).map(([kind, of]) => [kind, of?.length]))).toEqual(asked.archived)
	const selection = { changes: changes.map(({ id }) => id) }
	const rename = Object.fromEntries(
		Object.entries(asked.rename ?? {}).map(([table, map]) => [`${schemaOf(asked)}.${table}`, map]),
	)
	if (asked.rename) await expect(restoreAll(ground, selection)).rejects.toMatchObject({ code: 'SCHEMA_DRIFT' })
	const done = await restoreAll(ground, selection, rename)
	expect(done.restored + (asked.superseded ?? 0)).toBe(changes.length)
	if (asked.rest !== undefined) await workOn(ground, asked, [asked.rest])
	await before.expectSame()
}

/** Keeps what a structure is, to compare with it later. */
async function snapshot({ sql, client }: Ground, structure: Structure) {
	const schema = schemaOf(structure)
	await keepRows(sql, schema)
	const [picture, sequences] = [await pictureOf(sql, schema), await readSequenceValues(sql, schema)]
	const since = (await client.archive.barrier({ timeoutMs: 60_000 })).position
	return {
		since,
		/** Rows by their images, their text and every definition; sequences where they were or beyond. */
		async expectSame() {
			expect(await differences(sql, schema)).toEqual([])
			expect(await pictureOf(sql, schema)).toEqual(picture)
			await validateConstraints(sql, schema)
			for (const [name, value] of await readSequenceValues(sql, schema)) {
				expect(value, name).toBeGreaterThanOrEqual(sequences.get(name) ?? 0n)
			}
		},
	}
}

async function expectEmpty({ sql }: Ground, structure: Structure): Promise<void> {
	const schema = schemaOf(structure)
	for (const { name } of await listTables(sql, schema)) {
		expect(await sql.unsafe(`select * from only ${quoteTable({ schema, name })}`)).toEqual([])
	}
}

async function restoreAll({ client }: Ground, selection: Selection, rename: PreviewInput['rename'] = {}) {
	const preview = await client.restores.preview({ selection, rename })
	expect(preview).toMatchObject({ complete: true, parents: [] })
	const restore = await client.restores.start({ selection, rename, hash: preview.hash, reason: 'all of it back' })
	const done = await restore.finished()
	expect(done).toMatchObject({ status: 'succeeded', conflicts: 0, skipped: 0, verified: done.restored })
	return done
}

/** Undefined when nothing is left to delete. */
/** `told` are the codes of what the plan is to find. */
async function emptyByRun({ client }: Ground, table: string, told: string[] = []): Promise<string | undefined> {
	const plan = await client.plans.create({ kind: 'match', table, where: { and: [] }, onRestrict: 'include' })
	expect(plan).toMatchObject({ blocked: 0, findings: told.map((code) => ({ code })) })
	if (plan.rows === 0) return undefined
	const run = await (await client.runs.start({ planId: plan.id, reason: 'empty it' })).finished()
	const planned = plan.dependents.reduce((sum, { rows }) => sum + rows, plan.rows)
	expect(run).toMatchObject({ status: 'succeeded', drifted: 0, planned, archived: planned })
	return run.id
}

/** One selection for everything that the runs deleted. */
async function selectRuns({ client }: Ground, runs: string[]): Promise<Selection> {
	const changes: string[] = []
	for (const run of runs) for await (const { id } of client.archive.changes({ run, limit: 1000 })) changes.push(id)
	return { changes }
}

async function workOn({ url }: Ground, structure: Structure, statements: string[]): Promise<void> {
	const session = postgres(url, {
		max: 1,
		onnotice: () => {},
		connection: { search_path: `${schemaOf(structure)}, public` },
	})
	try {
		for (const statement of statements) await session.unsafe(statement)
	} finally {
		await session.end({ timeout: 5 })
	}
}

/** Works while the server's own sending process stands still. */
async function behindCapture({ sql }: Ground, work: () => Promise<void>): Promise<void> {
	const [slot] = await sql<{ pid: number }[]>`
		select active_pid as pid from pg_replication_slots where database = current_database() and active`
	const sender = Number(slot?.pid)
	process.kill(sender, 'SIGSTOP')
	try {
		await work()
	} finally {
		process.kill(sender, 'SIGCONT')
	}
}

/** Changes of a structure's tables that were archived after a position. */
async function archivedSince({ sql, client }: Ground, structure: Structure, since: string) {
	await client.archive.barrier({ timeoutMs: 60_000 })
	const found: Awaited<ReturnType<typeof client.archive.page>>['items'] = []
	for (const table of await namesOf(sql, structure)) {
		for await (const change of client.archive.changes({ table, limit: 1000 })) {
			if (change.transaction <= since) break
			found.push(change)
		}
	}
	return found
}
