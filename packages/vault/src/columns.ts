import type { SourceColumn, SourceTable } from '@reprieve/contracts'
import type { DeltaType } from './values/codec.ts'
import { deltaTypeOf } from './values/types.ts'

/**
 * One column of an archive: one incarnation (`oid`, `attnum`) of a source column under one type. Retyping a column, dropping
 * and adding it again, or creating the table anew makes another vault column, so no file is ever read under another type.
 */
export type VaultColumn = { name: string; type: DeltaType; oid: number; attnum: number; typeOid: number }

/** The vault's own columns of every archive, in file order. */
export const bookkeeping = [
	{ name: '_op', type: 'string' },
	{ name: '_xid', type: 'long' },
	{ name: '_position', type: 'long' },
	{ name: '_ordinal', type: 'integer' },
	{ name: '_committed_at', type: 'timestamp' },
	{ name: '_leaf', type: 'string' },
	{ name: '_rewritten', type: 'map' },
	{ name: '_exact', type: 'map' },
] as const

/** Those of them whose statistics tell nothing of the source's values; a leaf's name may. */
export const openColumns = ['_op', '_xid', '_position', '_ordinal', '_committed_at'] as const

/** A JavaScript object that stands for a map cannot have this key. */
const unusableNames = ['__proto__']

/**
 * The vault columns of a source table, parallel to its columns, and those of them that `existing` does not have yet.
 * A name that is taken in any letter case, by the vault's own columns too, gets the next free number.
 */
export function assignColumns(
	existing: readonly VaultColumn[],
	table: SourceTable,
): { columns: VaultColumn[]; added: VaultColumn[] } {
	const taken = new Set([...bookkeeping.map(({ name }) => fold(name)), ...unusableNames])
	for (const column of existing) taken.add(fold(column.name))
	const added: VaultColumn[] = []
	const columns = table.columns.map((source) => {
		const known = existing.find((column) => isSame(column, wantedOf(table, source)))
		if (known) return known
		const column = { ...wantedOf(table, source), name: freeName(source.name, taken) }
		taken.add(fold(column.name))
		added.push(column)
		return column
	})
	return { columns, added }
}

/** Places of the key's columns among the table's, in the key's order. */
export function keyColumns({ key, columns }: SourceTable): number[] {
	return key.map((name) => columns.findIndex((column) => column.name === name)).filter((at) => at >= 0)
}

/** Whether a table has a key of columns that it has. */
export function hasKey(table: SourceTable): boolean {
	return table.key.length > 0 && keyColumns(table).length === table.key.length
}

/** Whether columns that a segment was written under still agree with those of the log. */
export function fitsColumns(existing: readonly VaultColumn[], written: readonly VaultColumn[]): boolean {
	return written.every((column) => {
		const sameName = existing.find(({ name }) => fold(name) === fold(column.name))
		const sameSource = existing.find((other) => isSame(other, column))
		return sameName === undefined ? sameSource === undefined : sameName === sameSource && sameName.name === column.name
	})
}

/** Columns of `written` that `existing` lacks. */
export function missingColumns(existing: readonly VaultColumn[], written: readonly VaultColumn[]): VaultColumn[] {
	return written.filter((column) => !existing.some((other) => isSame(other, column)))
}

function wantedOf(table: SourceTable, source: SourceColumn): VaultColumn {
	return {
		name: source.name,
		type: deltaTypeOf(source),
		oid: table.oid,
		attnum: source.attnum,
		typeOid: source.typeOid,
	}
}

function isSame(a: VaultColumn, b: VaultColumn): boolean {
	return a.oid === b.oid && a.attnum === b.attnum && a.typeOid === b.typeOid && a.type === b.type
}

function freeName(name: string, taken: ReadonlySet<string>): string {
	if (!taken.has(fold(name))) return name
	let number = 2
	while (taken.has(fold(`${name}_${number}`))) number++
	return `${name}_${number}`
}

/** Names that differ only in letter case are one to Delta readers. */
function fold(name: string): string {
	return name.toUpperCase().toLowerCase()
}
