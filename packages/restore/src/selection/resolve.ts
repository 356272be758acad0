import {
	type ArchivedTransaction,
	type ChangeOp,
	formatTableName,
	parseInstant,
	parseTableName,
	ReprieveError,
	type Row,
	type Selection,
	type TableName,
	textFromCell,
	type Where,
} from '@reprieve/contracts'
import type { ReadQuery, Vault } from '@reprieve/vault'
import { parseChangeId, parseTransactionId } from './identity.ts'

/** What to read of one archived table. */
export type TableRequest = {
	table: TableName
	query: ReadQuery
	/** Kinds of change that are wanted. */
	ops: ChangeOp[]
	where?: Where
	/** Only rows of this timeline, what a promotion has undone too; absent: of every one, what it has not. */
	timeline?: number
	/** Only the newest change of each key counts; older ones are not even reported. */
	newestOnly?: boolean
}

/** Kinds that a selection takes unless single changes are picked: moves and overwrites are left out (exactness.md 6.2). */
const ordinary: ChangeOp[] = ['delete', 'relink']

/** Reads that a selection stands for, none beyond `through` (a commit position, inclusive). Throws NOT_FOUND and INVALID. */
export async function resolveSelection(vault: Vault, selection: Selection, through: bigint): Promise<TableRequest[]> {
	if ('run' in selection) return resolveRun(vault, selection.run, through)
	if ('transaction' in selection) return resolveTransaction(vault, selection.transaction)
	if ('changes' in selection) return resolveChanges(selection.changes)
	if ('keys' in selection) return [resolveKeys(selection.table, selection.keys, through)]
	const committed = {
		from: selection.from === undefined ? undefined : instantOf(selection.from),
		to: selection.to === undefined ? undefined : instantOf(selection.to),
	}
	if (!('table' in selection)) return await resolveRange(vault, committed, through)
	const table = parseTableName(selection.table)
	return [{ table, query: { committed, positions: { to: through } }, ops: ordinary, where: selection.where }]
}

async function resolveRun(vault: Vault, run: string, through: bigint): Promise<TableRequest[]> {
	const transactions: ArchivedTransaction[] = []
	for await (const transaction of vault.transactions.read({ job: { kind: 'run', id: run } })) {
		if (transaction.position.lsn <= through && !transaction.isUndone) transactions.push(transaction)
	}
	if (transactions.length === 0) {
		throw new ReprieveError('NOT_FOUND', `the archive holds no transaction of run ${run}`, {
			hint: 'Wait until its receipts are in, or check the id.',
		})
	}
	return resolveTransactions(transactions)
}

async function resolveTransaction(vault: Vault, id: string): Promise<TableRequest[]> {
	const transactions: ArchivedTransaction[] = []
	const { timeline, lsn } = parseTransactionId(id)
	for await (const found of vault.transactions.read({ exact: [lsn] }))
		if (found.position.timeline === timeline) transactions.push(found)
	if (transactions.length === 0) {
		throw new ReprieveError('NOT_FOUND', `the archive holds no transaction ${id}`, {
			hint: 'Pick the transaction of a change that the archive shows.',
		})
	}
	return resolveTransactions(transactions).map((request) => ({ ...request, timeline }))
}

/** All tables that the transactions of a range of time deleted from. */
async function resolveRange(
	vault: Vault,
	committed: { from: bigint | undefined; to: bigint | undefined },
	through: bigint,
): Promise<TableRequest[]> {
	const transactions: ArchivedTransaction[] = []
	const found = vault.transactions.read({ committed, positions: { to: through } })
	for await (const transaction of found) transactions.push(transaction)
	return resolveTransactions(transactions)
}

function resolveTransactions(transactions: ArchivedTransaction[]): TableRequest[] {
	const positions = new Map<string, bigint[]>()
	for (const transaction of transactions) {
		for (const table of Object.keys(transaction.rows)) {
			const known = positions.get(table) ?? []
			known.push(transaction.position.lsn)
			positions.set(table, known)
		}
	}
	return [...positions].map(([table, of]) => ({
		table: parseTableName(table),
		query: { transactions: of },
		ops: ordinary,
	}))
}

function resolveChanges(ids: string[]): TableRequest[] {
	const requests = new Map<string, TableRequest & { query: { changes: { position: bigint; ordinal: number }[] } }>()
	for (const id of ids) {
		const { table, position, ordinal } = parseChangeId(id)
		const name = `${position.timeline} ${formatTableName(table)}`
		const request = requests.get(name) ?? {
			table,
			timeline: position.timeline,
			query: { changes: [] },
			ops: ['delete', 'relink', 'move', 'overwrite'] satisfies ChangeOp[],
		}
		request.query.changes.push({ position: position.lsn, ordinal })
		requests.set(name, request)
	}
	return [...requests.values()]
}

function resolveKeys(tableText: string, keys: Row[], through: bigint): TableRequest {
	const texts = keys.map((key) =>
		Object.fromEntries(Object.entries(key).map(([column, value]) => [column, textFromCell(value)])),
	)
	return {
		table: parseTableName(tableText),
		query: { keys: texts, positions: { to: through } },
		ops: ordinary,
	}
}

/** Microseconds since 1970. Throws INVALID. */
export function instantOf(text: string): bigint {
	try {
		return parseInstant(text)
	} catch (cause) {
		throw new ReprieveError('INVALID', `"${text}" is not an RFC 3339 instant`, { cause })
	}
}
