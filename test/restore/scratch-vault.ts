import type { ArchivedTransaction, ChangeRows, SourceTable, TableName, TextColumn } from '@reprieve/contracts'
import { formatTableName, parseTableName, quoteIdentifier, quoteTable } from '@reprieve/contracts'
import { describeTable, findTable, type Session } from '@reprieve/postgres'
import type { ReadQuery, Vault, VaultTable } from '@reprieve/vault'

/** An archive in memory, filled by the test itself: what capture and the file vault do between them. */
export type ScratchVault = Vault & {
	/** Deletes the rows that `where` (SQL over alias t) matches and archives them as one transaction. */
	deleteRows(sql: Session, table: string, where: string, job?: { run: string }): Promise<bigint>
	/** Archives rows as `deleteRows` does, without touching them. */
	archiveRows(sql: Session, table: string, where: string, change?: Partial<Archived>): Promise<bigint>
	/** Deletes and relinks as one transaction. */
	transaction(rows: Archived[], job?: { run: string }): bigint
	read(sql: Session, table: string, where: string): Promise<Archived[]>
}

type Archived = {
	table: SourceTable
	values: (string | null)[]
	op: number
	rewritten: Record<string, string | null> | null
	position: bigint
	ordinal: number
}

export function scratchVault(lineage = ''): ScratchVault {
	const rows: Archived[] = []
	const transactions: ArchivedTransaction[] = []
	let next = 0x1000n

	async function read(sql: Session, name: string, where: string): Promise<Archived[]> {
		const found = await findTable(sql, parseTableName(name))
		const table = (await describeTable(sql, found?.oid ?? 0)) as SourceTable
		const texts = table.columns.map((column) => {
			const value = `t.${quoteIdentifier(column.name)}`
			return column.generated ? 'null' : `case when ${value} is distinct from null then format('%s', ${value}) end`
		})
		const read = await sql.unsafe<{ v: (string | null)[] }[]>(
			`select to_json(array[${texts.join(', ')}]::text[]) as v from ${quoteTable(table)} t where ${where}`,
		)
		return read.map((row) => ({ table, values: row.v, op: 0, rewritten: null, position: 0n, ordinal: 0 }))
	}

	function transaction(changes: Archived[], job?: { run: string }): bigint {
		const position = next
		next += 0x10n
		const counts: ArchivedTransaction['rows'] = {}
		for (const [ordinal, change] of changes.entries()) {
			const name = formatTableName(change.table)
			counts[name] ??= { deleted: 0, relinked: 0 }
			if (change.op === 0) counts[name].deleted++
			if (change.op === 1) counts[name].relinked++
			rows.push({ ...change, position, ordinal })
		}
		transactions.push({
			position: { timeline: 1, lsn: position },
			end: position + 8n,
			xid: Number(position),
			committedAt: 1_700_000_000_000_000n + position,
			rows: counts,
			barriers: [],
			...(job && {
				tag: { kind: 'run', lineage, xid: '1', id: job.run, batch: 1, actor: 'bootstrap', reason: 'test' },
			}),
		})
		return position
	}

	const vault = {
		database: 'scratch',
		read,
		transaction,
		async deleteRows(sql: Session, table: string, where: string, job?: { run: string }) {
			const gone = await read(sql, table, where)
			await sql.unsafe(`delete from ${quoteTable(parseTableName(table))} t where ${where}`)
			return transaction(gone, job)
		},
		async archiveRows(sql: Session, table: string, where: string, change: Partial<Archived> = {}) {
			return transaction((await read(sql, table, where)).map((row) => ({ ...row, ...change })))
		},
		table: (name: TableName) => scratchTable(name, rows),
		tables: async () => [...new Set(rows.map((row) => formatTableName(row.table)))].map(parseTableName),
		transactions: {
			archived: async () => next,
			async *read(query: { exact?: bigint[]; job?: { kind: string; id: string } }) {
				for (const each of transactions) {
					if (query.exact && !query.exact.includes(each.position.lsn)) continue
					if (query.job && (each.tag?.kind !== query.job.kind || each.tag.id !== query.job.id)) continue
					yield each
				}
			},
		},
		close: async () => {},
	}
	return vault as unknown as ScratchVault
}

function scratchTable(name: TableName, rows: Archived[]): VaultTable {
	const own = () => rows.filter((row) => formatTableName(row.table) === formatTableName(name))
	return {
		name,
		schemas: async () => [...new Set(own().map((row) => row.table))],
		async *read(query: ReadQuery) {
			const found = own().filter((row) => matches(query, row))
			for (const rows of Map.groupBy(found, (row) => row.table).values()) yield chunk(rows)
		},
	} as unknown as VaultTable
}

function matches(query: ReadQuery, row: Archived): boolean {
	const value = (column: string) => row.values[row.table.columns.findIndex((each) => each.name === column)]
	if (query.keys && !query.keys.some((key) => Object.entries(key).every(([column, text]) => value(column) === text)))
		return false
	if (query.transactions && !query.transactions.includes(row.position)) return false
	if (query.changes && !query.changes.some((c) => c.position === row.position && c.ordinal === row.ordinal))
		return false
	return query.positions?.to === undefined || row.position <= query.positions.to
}

function chunk(rows: Archived[]): ChangeRows {
	const table = (rows[0] as Archived).table
	return {
		table,
		count: rows.length,
		columns: table.columns.map((_, index) => textColumn(rows.map((row) => row.values[index] ?? null))),
		op: Uint8Array.from(rows, (row) => row.op),
		position: BigUint64Array.from(rows, (row) => row.position),
		ordinal: Uint32Array.from(rows, (row) => row.ordinal),
		xid: Uint32Array.from(rows, (row) => Number(row.position)),
		committedAt: BigInt64Array.from(rows, (row) => 1_700_000_000_000_000n + row.position),
		leaf: rows.map(() => null),
		rewritten: rows.map((row) => row.rewritten),
	}
}

function textColumn(values: (string | null)[]): TextColumn {
	const spans = values.map((value) => Buffer.from(value ?? ''))
	let end = 0
	const offsets = [0, ...spans.map((span) => (end += span.length))]
	return {
		bytes: Buffer.concat(spans),
		offsets: Uint32Array.from(offsets),
		present: Uint8Array.from(values, (value) => (value === null ? 0 : 1)),
	}
}
