import { cellFromText, formatTableName, quoteIdentifier, type Row } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { type Reference, referencing } from '../catalog/references.ts'
import type { Unique } from '../catalog/uniques.ts'
import type { TableRequest } from '../selection/resolve.ts'
import type { Timelines } from '../selection/timelines.ts'
import { literal, textOf } from '../stage/columns.ts'
import { joinFate } from '../stage/fates.ts'
import type { Stage } from '../stage/open.ts'
import { keyUnique, sameKey } from './key.ts'

/** A parent that neither lives nor comes back with the selection. */
export type MissingParent = {
	reference: Reference
	table: string
	/** Text per referenced column. */
	key: Record<string, string>
	archived: boolean
}

type Archive = { vault: Vault; timelines: Timelines }

/** At most so many are looked up and shown. */
const shown = 1000

/** SQL list of the fates that end with the row being in the table by this restore's doing. */
function comingStates(conflict: string): string {
	return conflict === 'overwrite' ? "('missing', 'different')" : "('missing')"
}

/** SQL of "some of the columns are NULL", which MATCH FULL forbids. */
export function isPartly(columns: string[], alias: string): string {
	const values = columns.map((column) => `${alias}.${quoteIdentifier(column)}`)
	return `num_nulls(${values.join(', ')}) between 1 and ${columns.length - 1}`
}

/** SQL of "none of the columns is NULL", over an alias. A composite value with a NULL in it is one, though it is not IS NOT NULL. */
export function allPresent(columns: string[], alias: string): string {
	return `num_nulls(${columns.map((column) => `${alias}.${quoteIdentifier(column)}`).join(', ')}) = 0`
}

/** SQL of the foreign key's own comparison: under the parent's collation, and by its index also where types differ. */
export function pointsAt(reference: Reference, parent: string, child: string): string {
	const { columns, references, operators, casts } = reference
	return columns
		.map((column, i) => {
			const referenced = `${parent}.${quoteIdentifier(references[i] ?? '')}`
			return `${referenced} ${operators[i]} ${child}.${quoteIdentifier(column)}${casts[i]}`
		})
		.join(' and ')
}

/**
 * SQL of "an older relink of the missing row s rewrote the foreign key": what it points at as archived was never checked
 * by anybody, because the row was deleted before its transaction ended.
 */
function isRewrittenSince(child: Stage, reference: Reference, uniques: Unique[]): string {
	const { book, live, sql, fate } = child
	const key = keyUnique(live, uniques)
	const archived = child.maps.flatMap((map) =>
		map.columns
			.filter((column) => reference.columns.includes(column.to.name))
			.map((column) => map.archived.columns[column.from]?.name ?? ''),
	)
	return `exists (select from ${sql} o join ${fate} g on g.n = o.${book.n} and g.state = 'relinkable'
			where ${sameKey(live, key, 'o', 's')} and (o.${book.position}, o.${book.ordinal}) < (s.${book.position}, s.${book.ordinal})
				and o.${book.rewritten}::jsonb ?| array[${archived.map(literal).join(', ')}]::text[])
		and exists (select from ${sql} d join ${fate} g on g.n = d.${book.n} and g.state = 'missing' where ${sameKey(live, key, 'd', 's')})`
}

/** SQL that marks the lacking rows that come back `early`, and answers their numbers. */
function markEarly(child: Stage, reference: Reference, uniques: Unique[]): string {
	if (child.relinks === 0) return 'select null::int8 as n where false'
	return `update ${child.fate} f set early = true from ${child.sql} s
		where f.n = s.${child.book.n} and f.n in (select n from lacking) and ${isRewrittenSince(child, reference, uniques)}
		returning f.n`
}

/** Parents that rows to come would lack, of one foreign key; marks rows that come back `early` instead. */
export async function missingParents(
	tx: Transaction,
	archive: Archive,
	input: { child: Stage; parent?: Stage; reference: Reference; conflict: string; uniques: Unique[] },
): Promise<MissingParent[]> {
	const { child, parent, reference, conflict, uniques } = input
	const columns = reference.columns.map((column) => textOf(`s.${quoteIdentifier(column)}`))
	const staged = parent
		? `and not exists (select from ${parent.sql} p ${joinFate(parent, 'p', 'g')}
			where g.state in ${comingStates(conflict)} and ${pointsAt(reference, 'p', 's')})`
		: ''
	const partly = reference.full ? isPartly(reference.columns, 's') : 'false'
	const rows = await tx.unsafe<{ key: (string | null)[] }[]>(
		`with lacking as materialized (
			select f.n, json_build_array(${columns.join(', ')})::jsonb as key
			from ${referencing(child.sql, reference)} s ${joinFate(child)}
			where f.state in ('relinkable', ${comingStates(conflict).slice(1)} and ${allPresent(reference.columns, 's')}
				and not exists (select from ${reference.parentSql} p where ${pointsAt(reference, 'p', 's')}) ${staged}
			union all
			select f.n, null from ${referencing(child.sql, reference)} s ${joinFate(child)}
			where ${partly} and f.state in ('relinkable', ${comingStates(conflict).slice(1)}),
		early as (${markEarly(child, reference, uniques)})
		select distinct key from lacking l where key is not null and not exists (select from early e where e.n = l.n) limit ${shown}`,
	)
	const table = formatTableName(reference.parentName)
	const keys = rows.map(({ key }) => Object.fromEntries(reference.references.map((name, i) => [name, key[i] ?? ''])))
	const archived = await archivedKeys(archive, reference, keys)
	return keys.map((key) => ({ reference, table, key, archived: archived.has(JSON.stringify(Object.values(key))) }))
}

async function archivedKeys(
	{ vault, timelines }: Archive,
	reference: Reference,
	keys: Record<string, string>[],
): Promise<Set<string>> {
	const found = new Set<string>()
	if (keys.length === 0) return found
	const decoder = new TextDecoder()
	for await (const rows of vault.table(reference.parentName).read({ keys })) {
		const columns = reference.references.map((name) => rows.table.columns.findIndex((column) => column.name === name))
		const at = Uint32Array.from({ length: rows.count }, (_, row) => row).filter((row) => rows.op[row] === 0)
		for (const row of await timelines.choose({ rows, at })) {
			const values = columns.map((index) => {
				const column = rows.columns[index]
				return decoder.decode(column?.bytes.subarray(column.offsets[row], column.offsets[row + 1]))
			})
			found.add(JSON.stringify(values))
		}
	}
	return found
}

/** Reads that bring the archived ones of the parents too. */
export function requestParents(parents: MissingParent[], through: bigint): TableRequest[] {
	const offered = parents.filter((parent) => parent.archived)
	return [...Map.groupBy(offered, (parent) => parent.table).values()].map((of) => ({
		table: (of[0] as MissingParent).reference.parentName,
		query: { keys: of.map((parent) => parent.key), positions: { to: through } },
		ops: ['delete'],
		newestOnly: true,
	}))
}

/** The parent's referenced columns as JSON cells. */
export function parentKey({ reference, key }: MissingParent): Row {
	return Object.fromEntries(
		reference.references.map((name, i) => [name, cellFromText(key[name] ?? null, reference.referenceTypes[i] ?? 0)]),
	)
}
