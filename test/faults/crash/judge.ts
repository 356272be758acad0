import { archivedRows } from '../../capture/ground.ts'
import { tables } from './shop.ts'
import { told } from './story.ts'
import type { CrashWorld } from './world.ts'

/** What is not as if nobody had died; empty when all is well. */
export async function judge(world: CrashWorld): Promise<string[]> {
	const parts = [rowsNotBack, archivedOtherwise, receiptsOtherwise, jobsOtherwise, troubles, leftovers, unverified]
	return (await Promise.all(parts.map((part) => part(world)))).flat()
}

async function rowsNotBack({ database: { sql } }: CrashWorld): Promise<string[]> {
	const found: string[] = []
	for (const name of tables) {
		const [row] = await sql.unsafe<{ rows: number }[]>(`select count(*)::int as rows
			from public.${name} t full join kept.${name} k on k.id = t.id
			where t.id is null or k.id is null or not record_image_eq(t.*::record, k.*::record)`)
		if (row?.rows) found.push(`${name}: ${row.rows} rows are not as they were`)
	}
	return found
}

/** The vault holds each change once. */
async function archivedOtherwise({ vault }: CrashWorld): Promise<string[]> {
	const found: string[] = []
	for (const name of tables) {
		const rows = await archivedRows(vault, name)
		const counts = Object.fromEntries(
			[...Map.groupBy(rows, (row) => row.op)].map(([op, those]) => [op, those.length] as const),
		)
		const places = new Set(rows.map(({ xid, ordinal }) => `${xid}/${ordinal}`))
		if (places.size !== rows.length) found.push(`${name}: ${rows.length - places.size} changes are archived twice`)
		if (JSON.stringify(counts) !== JSON.stringify(told[name]))
			found.push(`${name}: archived ${JSON.stringify(counts)}, not ${JSON.stringify(told[name])}`)
	}
	const transactions = await Array.fromAsync(vault.transactions.read({}))
	const positions = new Set(transactions.map(({ position }) => position.lsn))
	if (positions.size !== transactions.length) found.push('transactions are recorded twice')
	return found
}

async function receiptsOtherwise({ database: { sql } }: CrashWorld): Promise<string[]> {
	const found: string[] = []
	const [row] = await sql<Record<string, number>[]>`select
		(select count(*)::int from reprieve.batches where archived_at is null) as exposed,
		(select count(*)::int from reprieve.receipts where kind = 'run' and sealed is null) as unsealed,
		(select coalesce(sum(deleted), 0)::int from reprieve.batches) as deleted,
		(select coalesce(sum((value->>'deleted')::int + (value->>'relinked')::int), 0)::int
			from reprieve.receipts, jsonb_each(sealed)) as sealed,
		(select coalesce(sum((value->>'deleted')::int + (value->>'relinked')::int), 0)::int
			from reprieve.receipts r, jsonb_each(rows) where r.kind = 'run') as receipted`
	if (row?.exposed) found.push(`${row.exposed} batches have no receipt`)
	if (row?.unsealed) found.push(`${row.unsealed} receipts without a seal`)
	if (row?.deleted !== row?.sealed || row?.sealed !== row?.receipted)
		found.push(`${row?.deleted} rows in batches, ${row?.sealed} sealed, ${row?.receipted} receipted`)
	return found
}

/** Each call made its one thing, and each is done. */
async function jobsOtherwise({ database: { sql } }: CrashWorld): Promise<string[]> {
	const [row] = await sql<Record<string, unknown>[]>`select
		(select json_agg(distinct status) from reprieve.runs) as "runStatus", (select count(*)::int from reprieve.runs) as runs,
		(select json_agg(distinct status) from reprieve.restores) as "restoreStatus",
		(select count(*)::int from reprieve.restores) as restores,
		(select json_agg(distinct status) from reprieve.plans where status <> 'discarded') as "planStatus",
		(select count(*)::int from reprieve.plans where status <> 'discarded') as plans,
		(select count(*)::int from reprieve.policies) as policies, (select count(*)::int from reprieve.approvals) as approvals,
		(select count(*)::int from reprieve.api_keys where revoked_at is null) as keys,
		(select count(*)::int from reprieve.lineages) as lineages`
	const expected = {
		...{ runStatus: ['succeeded'], runs: 3, restoreStatus: ['succeeded'], restores: 5 },
		...{ planStatus: ['used'], plans: 3, policies: 1, approvals: 1, keys: 2, lineages: 1 },
	}
	const [is, ought] = [JSON.stringify(row), JSON.stringify(expected)]
	return is === ought ? [] : [`jobs are ${is}, not ${ought}`]
}

async function troubles({ database: { sql } }: CrashWorld): Promise<string[]> {
	const incidents = await sql`select code, message from reprieve.incidents`
	const gaps = await sql`select reason from reprieve.capture_gaps where reason <> 'unprotected'`
	return [
		...incidents.map(({ code, message }) => `incident ${code}: ${message}`),
		...gaps.map(({ reason }) => `gap: ${reason}`),
	]
}

/** Tables of plans and restores that are over, and protection that was taken back. */
async function leftovers({ database: { sql } }: CrashWorld): Promise<string[]> {
	const lists = await sql`select relname from pg_class where relname like 'restore\\_%' and relkind = 'r'
		and relnamespace = 'reprieve'::regnamespace`
	const [aside] = await sql<{ identity: string; published: number; recorded: number; triggers: number }[]>`select
		(select relreplident from pg_class where oid = 'public.aside'::regclass) as identity,
		(select count(*)::int from pg_publication_rel where prrelid = 'public.aside'::regclass) as published,
		(select count(*)::int from pg_trigger where tgrelid = 'public.aside'::regclass and not tgisinternal) as triggers,
		(select count(*)::int from reprieve.protected_tables where name = 'aside') as recorded`
	const is = JSON.stringify(aside)
	const ought = JSON.stringify({ identity: 'd', published: 0, triggers: 0, recorded: 0 })
	return [
		...lists.map(({ relname }) => `${relname} was left`),
		...(is === ought ? [] : [`the unprotected table is ${is}, not ${ought}`]),
	]
}

async function unverified({ client }: CrashWorld): Promise<string[]> {
	const { bad } = await client.system.verify()
	const { intact, brokenAt } = await client.audit.verify()
	return [
		...bad.map(({ object, message }) => `${object}: ${message}`),
		...(intact ? [] : [`the audit is broken at ${brokenAt}`]),
	]
}
