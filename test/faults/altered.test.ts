import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archivedRows } from '../capture/ground.ts'
import { until } from '../support/wait.ts'
import { type CrashWorld, crashCluster, startCrashWorld, telling } from './crash/world.ts'
import { openStrikes, type Strikes } from './strikes.ts'

type Case = {
	name: string
	/** What somebody does to table `t` when two of six batches are committed, or capture has begun to read what the table is. */
	alter: (t: string) => string
	/** How the run ends that had two batches done. */
	outcome: object
	/** What the operator is told besides. */
	told?: RegExp
}

const goesOn = { status: 'succeeded', drifted: 0, archived: 60 }
const rewritten = { status: 'succeeded', drifted: 40, archived: 20 }
const failed = (code: string, hint: RegExp) => ({ code, hint: expect.stringMatching(hint) })

const cases: Case[] = [
	{ name: 'is given a column', alter: (t) => `alter table ${t} add column more text default 'new'`, outcome: goesOn },
	{
		name: 'is rewritten with a column',
		alter: (t) => `alter table ${t} add column more uuid default gen_random_uuid()`,
		outcome: rewritten,
	},
	{ name: 'loses a column', alter: (t) => `alter table ${t} drop column note`, outcome: goesOn },
	{
		name: 'has a column retyped',
		alter: (t) => `alter table ${t} alter column amount type text using amount::text`,
		outcome: rewritten,
	},
	{ name: 'has a column renamed', alter: (t) => `alter table ${t} rename column note to remark`, outcome: goesOn },
	{
		name: 'has its key renamed',
		alter: (t) => `alter table ${t} rename column id to number`,
		outcome: failed('SCHEMA_DRIFT', /new plan/),
	},
	{ name: 'is renamed', alter: (t) => `alter table ${t} rename to renamed_${t.slice(7)}`, outcome: goesOn },
	{
		name: 'is dropped',
		alter: (t) => `drop table ${t}`,
		outcome: failed('SCHEMA_DRIFT', /new plan/),
		told: /^gap of \w+: \w+ was dropped with the rows that it held$/,
	},
]

let cluster: Awaited<ReturnType<typeof crashCluster>>
let strikes: Strikes
let world: CrashWorld
let onStrike: Record<'batch' | 'capture', () => Promise<unknown>>
const nothing = async () => {}

beforeAll(async () => {
	onStrike = { batch: nothing, capture: nothing }
	cluster = await crashCluster()
	strikes = await openStrikes({ batch: () => onStrike.batch(), capture: () => onStrike.capture() })
	const at = (file: string, place: string, when: string, name: 'batch' | 'capture') => ({
		edits: [{ file, at: place, instead: `if (${when}) ${strikes.at(name)};${place}` }],
	})
	world = await startCrashWorld(cluster, {
		service: at(
			'apps/service/src/runs/worker/delete-batch.ts',
			'return done as BatchDone',
			'batch.number === 2',
			'batch',
		),
		sidecar: at(
			'apps/sidecar/src/capture/relations.ts',
			'const archived = await this.#archivedVersion(buffer, facts.rootOid)',
			'facts.root',
			'capture',
		),
	})
}, 120_000)

afterAll(async () => {
	await world?.[Symbol.asyncDispose]()
	await strikes?.[Symbol.asyncDispose]()
	await cluster?.stop()
})

for (const one of cases) {
	for (const when of ['batch', 'capture'] as const) {
		test(`a table that ${one.name} in the middle of a run keeps what went before and after, seen by the ${when}`, {
			timeout: 120_000,
		}, async () => {
			await telling(world, async () => {
				const name = await fill()
				const struck = strike(when, name, one.alter(`public.${name}`))
				const ended = await deleteAll(name)
				const { before, table } = await struck
				if (when === 'batch') expect(ended).toMatchObject(one.outcome)
				await expectKept(name, { before, table })
				if (!one.told) expect(await troubles()).toEqual([])
				else await until(async () => (await troubles()).some((told) => one.told?.test(told)), 'it told', 60_000)
			})
		})
	}
}

test('a table that leaves the publication in the middle of a run is closed, and what goes meanwhile is a recorded gap', {
	timeout: 120_000,
}, async () => {
	await telling(world, async () => {
		const { client, database } = world
		const name = await fill()
		const struck = strike('batch', name, `alter publication reprieve drop table public.${name}`)
		expect(await deleteAll(name)).toMatchObject(failed('NOT_RESTORABLE', /Protect/))
		const { before } = await struck
		await expectKept(name, { before, table: name })
		expect(before).toHaveLength(20)
		await expect(deleteAll(name)).rejects.toMatchObject({ code: 'NOT_RESTORABLE' })
		expect((await client.tables.get(name)).restorability.findings).toMatchObject([{ code: 'notPublished' }])
		await database.sql.unsafe(`delete from public.${name} where id = 60`)
		await protect(name)
		expect(await troubles()).toEqual([`gap of ${name}: ${name} had lost its identity or its publication`])
		expect(await deleteAll(name)).toMatchObject({ status: 'succeeded', archived: 39 })
	})
})

test('a publication that is dropped in the middle of a run closes every table until they are protected again', {
	timeout: 120_000,
}, async () => {
	await telling(world, async () => {
		const name = await fill()
		const struck = strike('batch', name, 'drop publication reprieve')
		expect(await deleteAll(name)).toMatchObject(failed('NOT_RESTORABLE', /Protect/))
		const { before } = await struck
		await protect(name)
		await expectKept(name, { before, table: name })
		expect(await deleteAll(name)).toMatchObject({ status: 'succeeded', archived: 40 })
		expect(await troubles()).toEqual([expect.stringMatching(/gap/)])
	})
})

/** A protected table of sixty rows with a copy; answers its name. */
async function fill(): Promise<string> {
	const { sql } = world.database
	const name = `t${randomBytes(4).toString('hex')}`
	await sql.unsafe(`create table public.${name} (id int primary key, amount int, note text);
		insert into public.${name} select n, n * 7, repeat('note ' || n, 3) from generate_series(1, 60) n;
		create table kept.${name} as table public.${name}`)
	await protect(name)
	return name
}

async function protect(name: string): Promise<void> {
	await until(
		async () => {
			const { tables } = await world.client.tables.protect({ tables: [name], wait: 20 })
			return tables.every(({ restorability }) => restorability.findings.length === 0)
		},
		'the table to be protected',
		60_000,
	)
}

type Struck = { before: number[]; table: string | null }

/** Executes the statement when the process comes to the place; answers what was gone before, and what the table is now. */
function strike(when: 'batch' | 'capture', name: string, statement: string): Promise<Struck> {
	const { promise, resolve, reject } = Promise.withResolvers<Struck>()
	onStrike[when] = async () => {
		onStrike[when] = nothing
		const struck = world.database.sql.begin(async (tx) => {
			await tx`set local reprieve.allow = 'on'`
			await tx.unsafe(`lock table public.${name}`)
			const [row] = await tx`select to_regclass(${`public.${name}`})::oid::int as oid`
			const gone = await tx.unsafe<{ id: number }[]>(
				`select id from kept.${name} where id not in (select id from public.${name}) order by id`,
			)
			await tx.unsafe(statement)
			const [now] = await tx<{ name: string }[]>`select relname as name from pg_class where oid = ${row?.oid}`
			return { before: gone.map(({ id }) => id), table: now?.name ?? null }
		})
		await struck.then((value) => resolve(value as Struck), reject)
	}
	return promise
}

/** The run when it has ended, or why it failed. */
async function deleteAll(table: string) {
	const { client } = world
	const plan = await client.plans.create({ kind: 'match', table, where: { and: [] } }, { reason: 'altered' })
	const { finished } = await client.runs.start({ planId: plan.id, reason: 'altered', batch: { rows: 10 } })
	return await finished().catch((error: unknown) => error)
}

/** What is gone is archived, once, with every column that it had. */
async function expectKept(name: string, { before, table }: Struck): Promise<void> {
	const { sql } = world.database
	await world.barrier()
	const kept = await sql.unsafe<{ id: number; amount: string; note: string }[]>(
		`select id, amount::text, note from kept.${name} order by id`,
	)
	const left = table === null ? [] : await sql.unsafe(`select to_jsonb(t) as row from public.${table} t`)
	const alive = new Set(left.map(({ row }) => row.id ?? row.number))
	const gone = table === null ? before : kept.map(({ id }) => id).filter((id) => !alive.has(id))
	const names = [...new Set([name, ...(table === null ? [] : [table])])]
	const archived = (await Promise.all(names.map((each) => archivedRows(world.vault, each)))).flat()
	const rows = archived
		.map(({ values: { id, number, amount, note, remark } }) => ({
			id: Number(id ?? number),
			amount,
			note: note ?? remark,
		}))
		.toSorted((a, b) => a.id - b.id)
	expect(rows.map(({ id }) => id)).toEqual(gone)
	for (const row of rows) {
		const original = kept.find(({ id }) => id === row.id)
		expect(row.note == null && !before.includes(row.id) ? { ...row, note: original?.note } : row).toEqual(original)
	}
}

/** Incidents and gaps that the operator is told since the last time. */
async function troubles(): Promise<string[]> {
	const { sql } = world.database
	const incidents = await sql`select id, code, message from reprieve.incidents`
	const gaps = await sql`select id, "table", reason from reprieve.capture_gaps where reason <> 'unprotected'`
	const all = [
		...incidents.map(({ id, code, message }) => ({ id, text: `incident ${code}: ${message}` })),
		...gaps.map(({ id, table, reason }) => ({ id, text: `gap of ${table}: ${reason}` })),
	]
	const fresh = all.filter(({ id }) => !told.has(id))
	for (const { id } of fresh) told.add(id)
	return fresh.map(({ text }) => text)
}

const told = new Set<string>()
