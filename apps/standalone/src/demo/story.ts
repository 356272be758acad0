import type { Client, Plan, Run } from '@reprieve/client'
import type { Sql } from 'postgres'
import { sampleTables } from '../sample/load.ts'
import { count, type Teller } from './claims.ts'
import { compareWithCopy, copyTables } from './copy.ts'

/** Who takes part: the typed client, a plain connection to the same database, and the teller. */
export type Stage = { client: Client; sql: Sql; teller: Teller }

/** The whole loop. Throws at the first claim that does not hold. */
export async function playStory(stage: Stage): Promise<void> {
	await copyTables(stage.sql, sampleTables)
	const plan = await findDuplicates(stage)
	const run = await deleteThem(stage, plan)
	await showReceipts(stage, run)
	const transaction = await somebodyDeletes(stage)
	await bringBack(stage, { transaction }, 'a plain DELETE that nobody meant')
	await bringBack(stage, { run: run.id }, 'the clean-up was a mistake too')
	await compareEverything(stage)
}

async function findDuplicates({ client, sql, teller }: Stage): Promise<Plan> {
	teller.say('\nCustomers who registered twice, their e-mail in another letter case:')
	const plan = await client.plans.create({
		kind: 'duplicates',
		table: 'customers',
		key: [{ column: 'email', normalise: 'lower' }],
		keep: 'oldest',
		by: 'created_at',
	})
	const [expected] = await sql<{ rows: number }[]>`
		select (count(*) - count(distinct lower(email)))::int as rows from customers where email is not null`
	teller.claim(
		plan.status === 'ready' && plan.rows === expected?.rows,
		`the plan has ${count(plan.rows)} customers, as SQL counts them`,
	)
	for (const { table, action, rows } of plan.dependents) {
		teller.say(
			`    with them: ${count(rows)} rows of ${table} (${action === 'delete' ? 'deleted' : 'a reference set to NULL'})`,
		)
	}
	return plan
}

async function deleteThem({ client, sql, teller }: Stage, plan: Plan): Promise<Run> {
	teller.say('\nThe plan is run, in small batches:')
	const before = await rowsOf(sql, 'customers')
	const job = await client.runs.start({ planId: plan.id, reason: 'duplicate accounts' })
	for await (const state of job.progress()) {
		if (state.status === 'running') teller.say(`    ${count(state.deleted)} of ${count(state.planned)} rows`)
	}
	const run = await job.finished()
	const gone = before - (await rowsOf(sql, 'customers'))
	teller.claim(
		run.status === 'succeeded' && gone === plan.rows,
		`${count(gone)} customers are gone, no more and no fewer`,
	)
	teller.claim(
		run.deleted + run.relinked + run.drifted === run.planned,
		`all ${count(run.planned)} planned rows are accounted for`,
	)
	return run
}

async function showReceipts({ client, teller }: Stage, run: Run): Promise<void> {
	teller.say('\nWhat the archive holds of it:')
	let archived = 0
	let isTold = true
	for await (const change of client.archive.changes({ run: run.id, limit: 1000 })) {
		archived++
		isTold &&= change.reason === 'duplicate accounts' && change.actor !== undefined && !change.claimed
	}
	teller.claim(
		run.exposure === 0 && run.archived === run.deleted + run.relinked,
		`receipts for ${count(run.archived)} rows in ${count(run.batches)} batches`,
	)
	teller.claim(archived === run.archived && isTold, `${count(archived)} changes, each with who, why and when`)
}

/** As psql or another service would: no reprieve in sight. */
async function somebodyDeletes({ client, sql, teller }: Stage): Promise<string> {
	teller.say('\nSomebody deletes orders by plain SQL; lines and payments go by cascade:')
	const [before] = [await rowsOf(sql, 'order_lines')]
	const deleted = await sql`delete from orders where id % 1000 = 7`
	const lines = before - (await rowsOf(sql, 'order_lines'))
	await client.archive.barrier({ timeoutMs: 60_000 })
	const [change] = (await client.archive.page({ table: 'orders', where: { column: 'id', op: 'eq', value: '7' } })).items
	teller.claim(
		change?.op === 'delete' && change.run === undefined,
		'the archive has order 7, deleted by nobody we know',
	)
	const transaction = change?.transaction ?? ''
	const found: Record<string, number> = {}
	for await (const { table } of client.archive.changes({ transaction, limit: 1000 }))
		found[table] = (found[table] ?? 0) + 1
	teller.claim(
		found.orders === deleted.count && found.order_lines === lines,
		`its transaction holds ${count(deleted.count)} orders and ${count(lines)} lines, as many as went`,
	)
	return transaction
}

async function bringBack(
	{ client, teller }: Stage,
	selection: { run: string } | { transaction: string },
	reason: string,
): Promise<void> {
	teller.say(`\nTaken back: ${reason}.`)
	const preview = await client.restores.preview({ selection })
	const selected = preview.tables.reduce((sum, { rows }) => sum + rows, 0)
	for (const { table, rows, missing } of preview.tables)
		teller.say(`    ${table}: ${count(rows)} rows, ${count(missing)} missing now`)
	for (const { message } of preview.findings) teller.say(`    ${message}`)
	teller.claim(preview.complete && preview.parents.length === 0, 'the preview is complete: no gap, no missing parent')
	const restore = await (await client.restores.start({ selection, hash: preview.hash, reason })).finished()
	teller.claim(
		restore.status === 'succeeded' && restore.conflicts === 0,
		`${count(restore.restored)} of ${count(selected)} rows restored, no conflict`,
	)
	teller.claim(restore.verified === restore.restored, `${count(restore.verified)} rows read back and compared`)
}

async function compareEverything({ sql, teller }: Stage): Promise<void> {
	teller.say('\nEvery table, compared with the copy that was taken before:')
	let rows = 0
	for (const table of sampleTables) {
		const found = await compareWithCopy(sql, table)
		const isSame = found.changed + found.missing + found.added === 0 && found.identical === found.rows
		teller.claim(
			isSame,
			isSame ? `${table}: ${count(found.rows)} rows, identical` : `${table}: ${JSON.stringify(found)}`,
		)
		rows += found.rows
	}
	teller.say(`\n${count(rows)} rows, identical.`)
}

async function rowsOf(sql: Sql, table: string): Promise<number> {
	const [row] = await sql<{ rows: number }[]>`select count(*)::int as rows from ${sql(table)}`
	return row?.rows ?? 0
}
