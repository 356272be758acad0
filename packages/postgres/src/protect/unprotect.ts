import { formatTableName, quoteIdentifier, quoteTable, ReprieveError } from '@reprieve/contracts'
import { readClosure } from '../catalog/closure.ts'
import type { Session, Sql, Transaction } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'
import { beginProtection } from './apply.ts'
import { openGap } from './gaps.ts'
import { lockTables } from './lock.ts'
import { readTableFacts, type TableFacts } from './table-facts.ts'

export type UnprotectOptions = {
	/** Milliseconds to wait for the tables' locks. Default 5,000. */
	lockTimeoutMs?: number
}

/**
 * Takes protection from a table that was asked for, and from what only it needs, in one transaction: membership, guard
 * and identity go back, in the reverse order of protecting. Records a gap that lasts until the table is protected again.
 * Answers the statements that ran. Throws NOT_FOUND when the table is not protected, CONFLICT when it is needed by
 * another, UNAVAILABLE when the locks are not to be had.
 */
export async function unprotectTable(sql: Sql, oid: number, options: UnprotectOptions = {}): Promise<string[]> {
	const statements = await sql.begin(async (tx): Promise<string[]> => {
		await beginProtection(tx)
		const { removed, kept } = await readRemoved(tx, oid)
		const relinked = await readUnneededRelinks(tx, kept)
		return await removeProtection(tx, removed, relinked, options.lockTimeoutMs ?? 5_000)
	})
	return statements as string[]
}

/** Takes protection from every table; for uninstalling. */
export async function unprotectAll(tx: Transaction, lockTimeoutMs: number): Promise<string[]> {
	const records = await tx<{ oid: number }[]>`select p.oid::float8 as oid from reprieve.protected_tables p`
	const oids = records.map((record) => record.oid)
	return await removeProtection(tx, oids, [], lockTimeoutMs)
}

/** Protected tables that no asked table other than this one needs, and the others. */
async function readRemoved(tx: Transaction, oid: number): Promise<{ removed: number[]; kept: number[] }> {
	const records = await tx<{ oid: number; why: string; name: string; schema: string }[]>`
		select p.oid::float8 as oid, p.why, p.schema, p.name from reprieve.protected_tables p`
	const record = records.find((one) => one.oid === oid)
	if (!record) throw new ReprieveError('NOT_FOUND', `the table with OID ${oid} is not protected`)
	if (record.why !== 'asked') {
		throw new ReprieveError('CONFLICT', `${formatTableName(record)} is protected because another table reaches it`, {
			hint: 'Unprotect the table that was asked for.',
		})
	}
	const asked = records.filter((one) => one.why === 'asked' && one.oid !== oid).map((one) => one.oid)
	const needed = new Map((await readClosure(tx, asked)).map((member) => [member.oid, member.why]))
	const why = needed.get(oid)
	if (why) await tx`update reprieve.protected_tables set why = ${why} where oid = ${oid}`
	return {
		removed: records.map((one) => one.oid).filter((one) => !needed.has(one)),
		kept: asked,
	}
}

/** Kept tables whose rows nobody rewrites any more. */
async function readUnneededRelinks(tx: Transaction, asked: number[]): Promise<string[]> {
	const closure = await readClosure(tx, asked)
	const relinked = new Set(closure.filter((member) => member.isRelinked).map((member) => member.oid))
	const facts = await readTableFacts(
		tx,
		closure.map((member) => member.oid),
	)
	return [...facts.values()]
		.filter((table) => !relinked.has(table.oid))
		.filter((table) => table.memberships.some((m) => m.by === 'table' && m.publication === 'reprieve_relink'))
		.map((table) => `alter publication reprieve_relink drop table only ${quoteTable(table)}`)
}

async function removeProtection(
	tx: Transaction,
	removed: number[],
	relinks: string[],
	lockTimeoutMs: number,
): Promise<string[]> {
	const facts = [...(await readTableFacts(tx, removed)).values()]
	const leaves = facts.filter((table) => table.kind === 'r')
	if (!(await lockTables(tx, leaves, lockTimeoutMs))) {
		throw new ReprieveError('UNAVAILABLE', `the tables could not be locked within ${lockTimeoutMs} ms`, {
			hint: 'Try again when no long transaction uses these tables.',
		})
	}
	const indexes = await readIndexNames(tx, removed)
	const statements = [...relinks, ...leaves.flatMap((table) => removalStatements(table, indexes))]
	for (const statement of statements) await tx.unsafe(statement)
	for (const table of facts.filter((one) => one.rootOid === one.oid)) {
		await openGap(tx, formatTableName(table), 'unprotected')
	}
	await tx`delete from reprieve.protected_tables where oid = any(${arrayLiteral(removed)}::oid[])`
	return statements
}

/** Membership goes before identity: without a full identity the publication would refuse the application's DELETE. */
function removalStatements(table: TableFacts, indexes: ReadonlySet<string>): string[] {
	const name = quoteTable(table)
	const ours = table.memberships
		.filter((member) => member.by === 'table' && /^reprieve(_relink|_move|_debezium)?$/.test(member.publication))
		.map((member) => `alter publication ${member.publication} drop table only ${name}`)
	const guard = table.guard ? [`drop trigger reprieve_guard_truncate on ${name}`] : []
	const former = formerIdentity(table, indexes)
	const isChanged = former.letter !== table.identity
	return [...ours.reverse(), ...guard, ...(isChanged ? [`alter table ${name} replica identity ${former.clause}`] : [])]
}

function formerIdentity(table: TableFacts, indexes: ReadonlySet<string>): { letter: string; clause: string } {
	const record = table.record
	const index = record?.formerIndex
	if (record?.formerIdentity === 'f') return { letter: 'f', clause: 'full' }
	if (record?.formerIdentity === 'n') return { letter: 'n', clause: 'nothing' }
	if (record?.formerIdentity === 'i' && index && indexes.has(`${table.oid} ${index}`)) {
		return { letter: 'i', clause: `using index ${quoteIdentifier(index)}` }
	}
	return { letter: 'd', clause: 'default' }
}

async function readIndexNames(sql: Session, oids: number[]): Promise<Set<string>> {
	const rows = await sql<{ index: string }[]>`
		select i.indrelid::text || ' ' || c.relname as index from pg_index i join pg_class c on c.oid = i.indexrelid
		where i.indrelid = any(${arrayLiteral(oids)}::oid[])`
	return new Set(rows.map((row) => row.index))
}
