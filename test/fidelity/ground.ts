import { createHash } from 'node:crypto'
import type { PreviewInput, Restore, Selection } from '@reprieve/contracts'
import { parseTableName, quoteIdentifier, quoteTable } from '@reprieve/contracts'
import { openSessions, type Sql } from '@reprieve/postgres'
import { freshDatabase, type PostgresVersion, startCluster, type TestDatabase } from '../support/postgres.ts'
import { startReprieve, type TestReprieve } from '../support/reprieve.ts'

/** A database of one PostgreSQL version with the whole of reprieve over it, and copies by which restored rows are judged. */
export type Ground = AsyncDisposable & {
	database: TestDatabase
	sql: Sql
	reprieve: TestReprieve
	/** Copies the tables and remembers where every sequence stands. */
	keep(tables: readonly string[]): Promise<void>
	/** Protects the tables; fails unless each is ready. */
	protect(tables: readonly string[], acknowledge?: string[]): Promise<void>
	/** Deletes every row of a table by a plan and its run; answers what brings them back. */
	emptyByRun(table: string): Promise<Selection>
	/** Deletes every row of the tables in one transaction of plain SQL, in the order given; answers what brings them back. */
	emptyBySql(tables: readonly string[]): Promise<Selection>
	/** Previews and restores; resolves when the restore has ended, however. */
	bringBack(input: PreviewInput): Promise<Restore>
	/** How a table differs from its copy, by image and by text, and which sequences went back; empty when it is the same. */
	differences(table: string): Promise<string[]>
}

/** `prepare` makes the tables (and settings) before reprieve comes; `cluster` is used instead of one of our own. */
export async function openGround(
	version: PostgresVersion,
	prepare: (sql: Sql, database: TestDatabase) => Promise<void>,
	cluster?: { url: string },
): Promise<Ground> {
	await using stack = new AsyncDisposableStack()
	const server = cluster ?? stack.use(await startCluster(version))
	const database = stack.use(await freshDatabase(server))
	await prepare(database.sql, database)
	const reprieve = stack.use(await startReprieve(database))
	// The settings that `prepare` made reach only sessions opened since: these judge under the pinned ones.
	const sql = openSessions(database.url, { applicationName: 'judge', max: 2 })
	stack.defer(() => sql.end({ timeout: 5 }))
	const owned = stack.move()
	return {
		...{ database, sql, reprieve },
		keep: (tables) => keep(sql, tables),
		protect: (tables, acknowledge) => protect(reprieve, tables, acknowledge),
		emptyByRun: (table) => emptyByRun(reprieve, sql, table),
		emptyBySql: (tables) => emptyBySql(reprieve, sql, tables),
		bringBack: (input) => bringBack(reprieve, input),
		differences: (table) => differences(sql, table),
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

/** Name of a table's copy: names of 63 bytes leave no room for a prefix, and two schemas may have one name. */
function copyOf(table: string): string {
	const { schema, name } = parseTableName(table)
	return quoteTable({ schema: 'kept', name: createHash('sha1').update(`${schema}\0${name}`).digest('hex') })
}

async function keep(sql: Sql, tables: readonly string[]): Promise<void> {
	await sql`create schema if not exists kept`
	await sql`create table if not exists kept.sequences (name text primary key, stood int8 not null)`
	for (const table of tables)
		await sql.unsafe(`create table ${copyOf(table)} as table ${quoteTable(parseTableName(table))}`)
	await sql`insert into kept.sequences
		select format('%I.%I', schemaname, sequencename), last_value from pg_sequences
		where last_value is not null and schemaname <> 'reprieve' on conflict do nothing`
}

async function protect({ client }: TestReprieve, tables: readonly string[], acknowledge?: string[]): Promise<void> {
	const wanted = { tables: [...tables], wait: 60, ...(acknowledge && { acknowledge }) }
	const answer = await client.tables.protect(wanted)
	const closed = answer.tables.filter(({ restorability }) => restorability.status !== 'ready')
	if (closed.length > 0) throw new Error(`not ready: ${JSON.stringify(closed)}`)
}

async function emptyByRun({ client }: TestReprieve, sql: Sql, table: string): Promise<Selection> {
	const plan = await client.plans.create({ kind: 'match', table, where: { and: [] } })
	const run = await (await client.runs.start({ planId: plan.id, reason: 'empty it' })).finished()
	if (run.status !== 'succeeded' || run.archived !== plan.rows)
		throw new Error(`the run ended as ${JSON.stringify(run)}`)
	await requireEmpty(sql, table)
	return { run: run.id }
}

async function emptyBySql({ client }: TestReprieve, sql: Sql, tables: readonly string[]): Promise<Selection> {
	await sql.begin(async (tx) => {
		for (const table of tables) await tx.unsafe(`delete from ${quoteTable(parseTableName(table))}`)
	})
	for (const table of tables) await requireEmpty(sql, table)
	await client.archive.barrier({ timeoutMs: 120_000 })
	const [change] = (await client.archive.page({ table: tables[0] as string, limit: 1 })).items
	if (!change) throw new Error(`nothing of ${tables[0]} is in the archive`)
	return { transaction: change.transaction }
}

async function requireEmpty(sql: Sql, table: string): Promise<void> {
	const rows = await sql.unsafe(`select from ${quoteTable(parseTableName(table))} limit 1`)
	if (rows.length > 0) throw new Error(`${table} still has rows`)
}

async function bringBack({ client }: TestReprieve, input: PreviewInput): Promise<Restore> {
	const { hash } = await client.restores.preview(input)
	return await (await client.restores.start({ ...input, hash, reason: 'all of it back' })).finished()
}

async function differences(sql: Sql, table: string): Promise<string[]> {
	const order = await readKey(sql, table)
	const live = quoteTable(parseTableName(table))
	const numbered = (source: string) =>
		`(select "~row" as image, row_number() over (order by ${order}) as n from ${source} "~row")`
	const images = await sql.unsafe<{ n: string; was: string | null; now: string | null }[]>(
		`select coalesce(a.n, b.n)::text as n, left(a.image::text, 500) as was, left(b.image::text, 500) as now
		from ${numbered(copyOf(table))} a full join ${numbered(live)} b using (n)
		where a.n is null or b.n is null or not record_image_eq(a.image::record, b.image::record) limit 5`,
	)
	const found = images.map(({ n, was, now }) => `${table}: row ${n} was ${was}, is ${now}`)
	const [was, now] = [await digestText(sql, copyOf(table), order), await digestText(sql, live, order)]
	if (was !== now) found.push(`${table}: the text of its rows was ${was}, is ${now}`)
	return [...found, ...(await sequencesGoneBack(sql))]
}

async function readKey(sql: Sql, table: string): Promise<string> {
	const [row] = await sql<{ columns: string[] }[]>`
		select json_agg(a.attname order by k.place) as columns
		from pg_index i cross join unnest(i.indkey::int2[]) with ordinality k(attnum, place)
		join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
		where i.indrelid = ${quoteTable(parseTableName(table))}::regclass and i.indisprimary and k.place <= i.indnkeyatts`
	if (!row?.columns) throw new Error(`${table} has no primary key`)
	return row.columns.map(quoteIdentifier).join(', ')
}

/** Digest of what COPY writes of a table's rows in the order of its key; by a file of the server, which goes with its cluster. */
async function digestText(sql: Sql, source: string, order: string): Promise<string> {
	const [row] = await sql<{ folder: string }[]>`select current_setting('data_directory') as folder`
	const path = `${row?.folder}/copied-${createHash('sha1').update(source).digest('hex')}`
	await sql.unsafe(`copy (select * from ${source} order by ${order}) to '${path}'`)
	const [copied] = await sql<{ digest: string }[]>`select encode(sha256(pg_read_binary_file(${path})), 'hex') as digest`
	if (!copied) throw new Error(`nothing was copied of ${source}`)
	return copied.digest
}

async function sequencesGoneBack(sql: Sql): Promise<string[]> {
	const rows = await sql<{ name: string; stood: string; stands: string }[]>`
		select k.name, k.stood::text as stood, coalesce(s.last_value::text, 'nowhere') as stands
		from kept.sequences k left join pg_sequences s on format('%I.%I', s.schemaname, s.sequencename) = k.name
		where s.last_value is null or s.last_value < k.stood`
	return rows.map(({ name, stood, stands }) => `sequence ${name} stood at ${stood}, stands at ${stands}`)
}
