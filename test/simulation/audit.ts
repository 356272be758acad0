import { isDeepStrictEqual } from 'node:util'
import { type ArchivedTransaction, type ChangeRows, changeOps, parseTableName } from '@reprieve/contracts'
import { openVault, type Vault } from '@reprieve/vault'
import { roots } from './catalog.ts'
import type { Objects } from './objects.ts'
import type { Source } from './source.ts'
import { type ExpectedRow, lineageId } from './transaction.ts'
import type { World } from './world.ts'

/** Says whether a table's log has a row. */
export type Covers = (vault: Vault, table: string) => Promise<(row: ExpectedRow) => boolean>

/** Compares what the ports have with the plain list of transactions that committed. */
export class Audit {
	readonly #world: World
	readonly #objects: Objects
	readonly #source: Source
	readonly #covers: Covers
	/** Asked at every moment: it reads of the logs only what is new. */
	readonly #vault: Vault
	/** Of each table, from the transactions seen so far. */
	readonly #rows = new Map<string, ExpectedRow[]>(roots.map(({ name }) => [name, []]))
	#seen = 0

	constructor(parts: { world: World; objects: Objects; source: Source; covers: Covers }) {
		this.#world = parts.world
		this.#objects = parts.objects
		this.#source = parts.source
		this.#covers = parts.covers
		this.#vault = this.#open()
	}

	/** Promise 2: what the server may forget is in the vault, receipts and rows. */
	async acknowledged(position: bigint): Promise<void> {
		const vault = this.#vault
		const archived = (await vault.transactions.archived(lineageId)) ?? 0n
		if (position > archived) throw new Error(`${position} was acknowledged, the vault ends at ${archived}`)
		await this.#checkRows(vault, (row) => row.position < position, `what was acknowledged up to ${position}`)
	}

	/** Exactness 7.4: a receipt comes after all rows of its transaction, and says what was committed. */
	async receipted(receipts: readonly ArchivedTransaction[]): Promise<void> {
		for (const receipt of receipts) {
			const { lsn } = receipt.position
			const committed = this.#source.transactions.find(({ position }) => position === lsn)?.receipt
			// What is read back from the vault names its lineage.
			if (!isDeepStrictEqual({ ...receipt, lineage: lineageId }, { ...committed, lineage: lineageId }))
				throw new Error(`the receipt at ${lsn} says ${show(receipt)}, committed was ${show(committed)}`)
		}
		const positions = new Set(receipts.map(({ position }) => position.lsn))
		await this.#checkRows(this.#vault, (row) => positions.has(row.position), 'receipts')
	}

	/** Promises 1 and 3 at any moment: each table is the list up to where its log goes; receipts have their rows. */
	async look(): Promise<void> {
		const vault = this.#open()
		const archived = (await vault.transactions.archived(lineageId)) ?? 0n
		const receipts = await Array.fromAsync(vault.transactions.read({}))
		const committed = this.#source.transactions.flatMap(({ receipt, position }) =>
			receipt && position < archived ? [{ ...receipt, lineage: lineageId }] : [],
		)
		expectSame('_transactions', receipts, committed)
		await this.#checkRows(vault, (row) => row.position < archived, 'receipts')
		for (const table of roots) await this.#checkTable(vault, table.name)
	}

	/** At the end: everything is archived, and every question has the list's answer. */
	async finish(): Promise<void> {
		await this.look()
		const vault = this.#open()
		await this.#checkRows(vault, () => true, 'the end')
		const { name } = this.#world.random.pick(roots)
		const expected = this.#expected(name)
		if (expected.length === 0) return
		const table = vault.table(parseTableName(name))
		const some = this.#world.random.pick(expected)
		const byKey = await rowsOf(table.read({ keys: [keyOf(some)] }), name)
		const isSame = (row: ExpectedRow) => isDeepStrictEqual(keyOf(row), keyOf(some))
		expectSame(`${name} by key`, byKey, expected.filter(isSame))
		const before = await rowsOf(table.read({ positions: { to: some.position } }), name)
		expectSame(
			`${name} up to ${some.position}`,
			before,
			expected.filter((row) => row.position <= some.position),
		)
	}

	async #checkTable(vault: Vault, name: string): Promise<void> {
		const covers = await this.#covers(vault, name)
		const found = await rowsOf(vault.table(parseTableName(name)).read({}), name)
		expectSame(name, found, this.#expected(name).filter(covers))
	}

	async #checkRows(vault: Vault, isDue: (row: ExpectedRow) => boolean, what: string): Promise<void> {
		for (const { name } of roots) {
			const due = this.#expected(name).filter(isDue)
			if (due.length === 0) continue
			const covers = await this.#covers(vault, name)
			const missing = due.find((row) => !covers(row))
			if (missing) throw new Error(`${what}: ${name} lacks ${show(missing)}`)
		}
	}

	#expected(table: string): ExpectedRow[] {
		const { transactions } = this.#source
		for (; this.#seen < transactions.length; this.#seen++)
			for (const row of transactions[this.#seen]?.rows ?? []) (this.#rows.get(row.table) as ExpectedRow[]).push(row)
		return this.#rows.get(table) ?? []
	}

	#open(): Vault {
		return openVault({ store: this.#objects.untroubled(), database: 'shop' })
	}
}

function keyOf({ table, cells }: ExpectedRow): Record<string, string | null> {
	const [id = null, region = null] = cells
	return table === 'events' ? { id, region } : { id }
}

async function rowsOf(reading: AsyncIterable<ChangeRows>, table: string): Promise<ExpectedRow[]> {
	const found: ExpectedRow[] = []
	for await (const rows of reading)
		for (let at = 0; at < rows.count; at++) {
			found.push({
				table,
				position: rows.position[at] as bigint,
				ordinal: rows.ordinal[at] as number,
				op: changeOps[rows.op[at] as number] as ExpectedRow['op'],
				cells: rows.columns.map(({ bytes, offsets, present }) =>
					present[at] === 1 ? Buffer.from(bytes.subarray(offsets[at], offsets[at + 1])).toString() : null,
				),
				leaf: rows.leaf[at] ?? null,
				rewritten: rows.rewritten[at] ?? null,
				xid: rows.xid[at] as number,
				committedAt: rows.committedAt[at] as bigint,
			})
		}
	return found
}

function expectSame(what: string, found: readonly unknown[], expected: readonly unknown[]): void {
	if (isDeepStrictEqual(found, expected)) return
	const at = expected.findIndex((one, place) => !isDeepStrictEqual(found[place], one))
	const place = at < 0 ? expected.length : at
	throw new Error(
		`${what}: ${found.length} found, ${expected.length} expected; at ${place} ${show(found[place])}, not ${show(expected[place])}`,
	)
}

function show(value: unknown): string {
	return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? 'nothing'
}
