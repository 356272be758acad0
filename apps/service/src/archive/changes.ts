import {
	type ArchivedTransaction,
	type Change,
	type ChangeRows,
	type ChangesInput,
	cellFromText,
	changeOps,
	formatInstant,
	formatPosition,
	formatTableName,
	parseTableName,
	ReprieveError,
	type Row,
	type TableName,
	textFromCell,
} from '@reprieve/contracts'
import { filterRows, formatChangeId, instantOf, parseTransactionId } from '@reprieve/restore'
import type { ReadQuery, RecordedTransaction } from '@reprieve/vault'
import { isGranted, requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'
import { requireKnownVault } from './known.ts'

/** One archived row before who and why are known. */
type Found = { table: TableName; rows: ChangeRows; row: number }

/**
 * Archived changes, newest first by position, each with who, why and when; a cursor is a position. Throws INVALID when
 * `key` or `where` come without a table, FORBIDDEN and VAULT_UNAVAILABLE.
 */
export async function findChanges(
	services: Services,
	principal: Principal,
	input: ChangesInput,
): Promise<{ items: Change[]; next?: string }> {
	const limit = input.limit ?? 100
	const { query, tables } = await planSearch(services, principal, input)
	const found: Found[] = []
	for (const table of tables) found.push(...(await searchTable(services, { table, query, input, limit: limit + 1 })))
	found.sort((a, b) => Number(positionOf(b) - positionOf(a)) || ordinalOf(b) - ordinalOf(a))
	const page = toPage(found, limit, (row) => `${positionOf(row).toString(16)}-${ordinalOf(row)}`)
	const transactions = await readTransactions(services, page.items)
	const items = page.items.map((row) => toChange(row, transactions.get(transactionOf(row))))
	return { ...page, items: items.filter((change) => !input.transaction || change.transaction === input.transaction) }
}

/** What every table is asked, and which tables may hold an answer. */
async function planSearch(
	services: Services,
	principal: Principal,
	input: ChangesInput,
): Promise<{ query: ReadQuery; tables: TableName[] }> {
	if (input.table === undefined && (input.key || input.where)) {
		throw new ReprieveError('INVALID', 'key and where are columns of one table, and no table is named', {
			hint: 'Name the table.',
		})
	}
	if (input.table !== undefined) requireTables(principal, [input.table])
	await requireKnownVault(services)
	const query = queryOf(input)
	let names: TableName[] | undefined = input.table === undefined ? undefined : [parseTableName(input.table)]
	if (input.run !== undefined) {
		const job = { kind: 'run', id: input.run } as const
		const transactions = await Array.fromAsync(services.vault.transactions.read({ job }))
		query.transactions = transactions.map((transaction) => transaction.position.lsn)
		names ??= [...new Set(transactions.flatMap((transaction) => Object.keys(transaction.rows)))].map(parseTableName)
	}
	if (input.transaction !== undefined) {
		const { lsn } = parseTransactionId(input.transaction)
		query.transactions = query.transactions && !query.transactions.includes(lsn) ? [] : [lsn]
	}
	if (query.transactions?.length === 0) return { query, tables: [] }
	names ??= await services.vault.tables()
	return { query, tables: names.filter((name) => isGranted(principal, formatTableName(name))) }
}

function queryOf(input: ChangesInput): ReadQuery {
	const query: ReadQuery = { descending: true }
	if (input.key) {
		const key = Object.entries(input.key).map(([column, value]) => [column, textFromCell(value)])
		query.keys = [Object.fromEntries(key)]
	}
	if (input.from !== undefined || input.to !== undefined) {
		query.committed = {
			...(input.from !== undefined && { from: instantOf(input.from) }),
			...(input.to !== undefined && { to: instantOf(input.to) }),
		}
	}
	const [position, ordinal] = readCursor(input.cursor, /^[0-9a-f]{1,16}-\d{1,10}$/)?.split('-') ?? []
	if (position !== undefined) query.after = { position: BigInt(`0x${position}`), ordinal: Number(ordinal) }
	return query
}

type Search = { table: TableName; query: ReadQuery; input: ChangesInput; limit: number }

/** The newest rows of one table that match; a predicate is evaluated chunk by chunk until enough are found. */
async function searchTable(services: Services, { table, query, input, limit }: Search): Promise<Found[]> {
	const found: Found[] = []
	const vaultTable = services.vault.table(table)
	const { where } = input
	const limited: ReadQuery = where ? query : { ...query, limit }
	for await (const rows of vaultTable.read(limited)) {
		const all = Uint32Array.from({ length: rows.count }, (_, row) => row)
		const at = where ? await services.pools.restore.begin((tx) => filterRows(tx, where, rows, all)) : all
		for (const row of at) found.push({ table, rows, row })
		if (found.length >= limit) break
	}
	return found.slice(0, limit)
}

async function readTransactions(services: Services, found: Found[]): Promise<Map<string, RecordedTransaction>> {
	const exact = [...new Set(found.map(positionOf))]
	const known = new Map<string, RecordedTransaction>()
	if (exact.length === 0) return known
	for await (const transaction of services.vault.transactions.read({ exact })) {
		const { position, xid, committedAt } = transaction
		known.set(`${position.lsn}/${xid}/${committedAt}`, transaction)
	}
	return known
}

/** Two timelines may have a transaction each at one position. */
function transactionOf({ rows, row }: Found): string {
	return `${rows.position[row]}/${rows.xid[row]}/${rows.committedAt[row]}`
}

function toChange(found: Found, transaction: RecordedTransaction | undefined): Change {
	const { table, rows, row } = found
	const position = transaction?.position ?? { timeline: 1, lsn: positionOf(found) }
	const values = rowOf(rows, row)
	return {
		id: formatChangeId({ position, ordinal: ordinalOf(found), table }),
		op: changeOps[rows.op[row] as number] ?? 'delete',
		table: formatTableName(table),
		key: Object.fromEntries(rows.table.key.map((name) => [name, values[name] ?? null])),
		row: values,
		transaction: formatPosition(position),
		committedAt: formatInstant(rows.committedAt[row] as bigint),
		...whoAndWhy(transaction),
		...(transaction?.isUndone ? { undone: true } : {}),
	}
}

function whoAndWhy(transaction: ArchivedTransaction | undefined): Partial<Change> {
	if (transaction?.tag) {
		const { kind, id, actor, reason } = transaction.tag
		return { ...(kind === 'run' ? { run: id } : { restore: id }), actor, reason }
	}
	return transaction?.claim ? { ...transaction.claim, claimed: true } : {}
}

/** The row's archived values as JSON cells; columns that the stream does not carry are left out. */
function rowOf(rows: ChangeRows, row: number): Row {
	const decoder = new TextDecoder()
	return Object.fromEntries(
		rows.table.columns.flatMap((column, index) => {
			if (column.generated !== '') return []
			const { bytes, offsets, present } = rows.columns[index] ?? {}
			const text = present?.[row] === 1 ? decoder.decode(bytes?.subarray(offsets?.[row], offsets?.[row + 1])) : null
			return [[column.name, cellFromText(text, column.typeOid)]]
		}),
	)
}

function positionOf({ rows, row }: Found): bigint {
	return rows.position[row] as bigint
}

function ordinalOf({ rows, row }: Found): number {
	return rows.ordinal[row] as number
}
