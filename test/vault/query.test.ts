import type { ChangeRows } from '@reprieve/contracts'
import { fileStore, openVault, type ReadQuery, type VaultTable } from '@reprieve/vault'
import { afterAll, expect, test } from 'vitest'
import { freshFolder } from './folder.ts'
import { type Change, changeRows, column, readAll, sourceTable } from './rows.ts'

const source = sourceTable([
	column(1, 'id', 'bigint'),
	column(2, 'note', 'text'),
	column(3, 'at', 'timestamp with time zone'),
	column(4, 'ratio', 'double precision'),
])

/** Deterministic numbers, so that a failure can be seen again. */
function random(seed: number): () => number {
	let state = seed
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
		return state / 2 ** 32
	}
}

const next = random(7)
const pick = <T>(values: readonly T[]) => values[Math.floor(next() * values.length)] as T

const notes = [null, '', 'a', 'b', '😀', `${'x'.repeat(70)}a`, `${'x'.repeat(70)}b`, '\u{10FFFF}'.repeat(20)]
const instants = [null, 'infinity', '-infinity', '2024-01-01 00:00:00+00', '2024-01-01 00:00:00.5+00']
const ratios = [null, 'NaN', '-0', '0', '1.5', '1e+20']

/** 40 transactions of up to 12 changes over a small set of keys. */
const changes: Change[] = Array.from({ length: 40 }, (_, at) => at).flatMap((transaction) =>
	Array.from({ length: Math.ceil(next() * 12) }, (_, ordinal) => ({
		cells: [String(Math.floor(next() * 30) - 15), pick(notes), pick(instants), pick(ratios)],
		position: BigInt(1000 + transaction * 10),
		ordinal,
		committedAt: BigInt(5_000_000 - transaction * 1000 + Math.floor(next() * 3000)),
	})),
)

const folder = await freshFolder()
afterAll(() => folder[Symbol.asyncDispose]())

async function archived(compacted: 'none' | 'part' | 'all'): Promise<VaultTable> {
	const table = openVault({ store: fileStore(folder.path), database: compacted }).table({ schema: 'public', name: 't' })
	const positions = [...new Set(changes.map(({ position }) => position))]
	for (let at = 0; at < positions.length; at += 4) {
		const some = new Set(positions.slice(at, at + 4))
		const rows = changeRows(
			source,
			changes.filter(({ position }) => some.has(position)),
		)
		const position = positions[Math.min(at + 3, positions.length - 1)] as bigint
		await table.commit({ source: 'l', position, segments: await table.write(rows) })
		if (compacted === 'part' && at === 20) await table.compact({ minSegments: 2 })
	}
	if (compacted === 'all') await table.compact({ minSegments: 2 })
	return table
}

/** The rows of a query, as the vault's own words define it. */
function expected(query: ReadQuery): string[] {
	const { keys, transactions, positions, committed, after, descending, limit } = query
	const names = source.columns.map(({ name }) => name)
	const order = (change: Change) => change.position * 1000n + BigInt(change.ordinal ?? 0)
	const behind = after && after.position * 1000n + BigInt(after.ordinal)
	const matching = changes.filter(
		(change) =>
			(!keys || keys.some((key) => names.every((name, at) => !(name in key) || key[name] === change.cells[at]))) &&
			(!transactions || transactions.includes(change.position)) &&
			(!query.changes ||
				query.changes.some(({ position, ordinal }) => position === change.position && ordinal === change.ordinal)) &&
			(positions?.from === undefined || change.position >= positions.from) &&
			(positions?.to === undefined || change.position <= positions.to) &&
			(committed?.from === undefined || (change.committedAt as bigint) >= committed.from) &&
			(committed?.to === undefined || (change.committedAt as bigint) < committed.to) &&
			(behind === undefined || (descending ? order(change) < behind : order(change) > behind)),
	)
	matching.sort((a, b) => Number(order(a) - order(b)) * (descending ? -1 : 1))
	return matching
		.slice(0, limit)
		.map(({ position, ordinal, cells }) => JSON.stringify([`${position}.${ordinal}`, ...cells]))
}

function describeRows(rows: ChangeRows): string[] {
	return Array.from({ length: rows.count }, (_, row) => {
		const cells = rows.columns.map(({ bytes, offsets, present }) =>
			present[row] === 1 ? Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString() : null,
		)
		return JSON.stringify([`${rows.position[row]}.${rows.ordinal[row]}`, ...cells])
	})
}

function randomQuery(): ReadQuery {
	const place = () => {
		const { position, ordinal } = pick(changes)
		return { position, ordinal: ordinal ?? 0 }
	}
	const [low, high] = [pick(changes).position, pick(changes).position].sort((a, b) => Number(a - b))
	return {
		...(next() < 0.4 ? { keys: Array.from({ length: 3 }, randomKey) } : {}),
		...(next() < 0.2 ? { transactions: [pick(changes).position, pick(changes).position, 7n] } : {}),
		...(next() < 0.2 ? { changes: [place(), place(), place()] } : {}),
		...(next() < 0.3 ? { positions: { from: low, to: next() < 0.5 ? high : undefined } } : {}),
		...(next() < 0.3 ? { committed: { from: pick(changes).committedAt, to: pick(changes).committedAt } } : {}),
		...(next() < 0.3 ? { after: place() } : {}),
		...(next() < 0.5 ? { descending: true } : {}),
		...(next() < 0.3 ? { limit: Math.floor(next() * 40) } : {}),
	}
}

function randomKey(): Record<string, string | null> {
	const { cells } = pick(changes)
	if (next() < 0.3) return { note: cells[1] ?? null }
	if (next() < 0.3) return { at: cells[2] ?? null, ratio: cells[3] ?? null }
	return next() < 0.8 ? { id: cells[0] ?? null } : { id: cells[0] ?? null, note: cells[1] ?? null }
}

test.each(['none', 'part', 'all'] as const)(
	'300 random queries find exactly their rows (merged: %s)',
	async (compacted) => {
		const table = await archived(compacted)
		for (let round = 0; round < 300; round++) {
			const query = randomQuery()
			const found = (await readAll(table.read(query))).flatMap(describeRows)
			expect(
				found,
				JSON.stringify(query, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)),
			).toEqual(expected(query))
		}
	},
)

test('a read comes in chunks of at most 5,000 rows, also from merged segments', async () => {
	const table = openVault({ store: fileStore(folder.path), database: 'large' }).table({ schema: 'public', name: 't' })
	const many = Array.from({ length: 24_000 }, (_, at) => ({
		cells: [String((at * 7919) % 24_000), 'n', null, '1.5'],
		position: BigInt(1 + Math.floor(at / 8000)),
		ordinal: at,
	}))
	for (const position of [1n, 2n, 3n]) {
		const rows = changeRows(
			source,
			many.filter((change) => change.position === position),
		)
		await table.commit({ source: 'l', position, segments: await table.write(rows) })
	}
	for (const merged of [0, 3]) {
		if (merged > 0) expect((await table.compact({ minSegments: 2 })).merged).toBe(merged)
		const chunks = await readAll(table.read({}))
		expect(Math.max(...chunks.map(({ count }) => count))).toBeLessThanOrEqual(5_000)
		expect(chunks.flatMap(({ ordinal }) => [...ordinal])).toEqual(many.map(({ ordinal }) => ordinal))
	}
})
