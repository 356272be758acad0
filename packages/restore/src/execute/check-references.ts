import { formatTableName, quoteIdentifier, ReprieveError } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Reference } from '../catalog/references.ts'
import { allPresent, isPartly, pointsAt } from '../preview/parents.ts'
import { textOf } from '../stage/columns.ts'

/** Rows of which a foreign key speaks and that were written without triggers: SQL of the FROM and WHERE that give them as `s`. */
export type Unchecked = { archivedName: string; rows: string }

/**
 * Does for rows written without triggers what the foreign key's own trigger does: locks every parent FOR KEY SHARE and
 * sees that none is absent. An anti-join alone would race with a parent's delete (exactness.md 9.5). Throws
 * PARENT_MISSING.
 */
export async function checkReference(tx: Transaction, unchecked: Unchecked, reference: Reference): Promise<void> {
	if (reference.full) await refusePartialNull(tx, unchecked, reference)
	const columns = reference.columns.map(quoteIdentifier)
	const wanted = `select ${columns.map((column) => `s.${column}`).join(', ')} ${unchecked.rows}
		and ${allPresent(reference.columns, 's')}`
	// Row by row, as the trigger does: a join is planned badly where the parents came since their table was analyzed.
	const [absent] = await tx.unsafe<{ key: (string | null)[] }[]>(
		`select json_build_array(${columns.map((column) => textOf(`w.${column}`)).join(', ')}) as key from (${wanted}) w
		left join lateral (
			select true as is_held from ${reference.parentSql} p where ${pointsAt(reference, 'p', 'w')} for key share) h on true
		where h.is_held is null limit 1`,
	)
	if (absent) throw parentMissing(unchecked, reference, absent.key)
}

async function refusePartialNull(tx: Transaction, unchecked: Unchecked, reference: Reference): Promise<void> {
	const texts = reference.columns.map((column) => textOf(`s.${quoteIdentifier(column)}`))
	const [mixed] = await tx.unsafe<{ key: (string | null)[] }[]>(
		`select json_build_array(${texts.join(', ')}) as key ${unchecked.rows} and ${isPartly(reference.columns, 's')} limit 1`,
	)
	if (mixed) throw parentMissing(unchecked, reference, mixed.key)
}

function parentMissing({ archivedName }: Unchecked, reference: Reference, key: (string | null)[]): ReprieveError {
	return new ReprieveError(
		'PARENT_MISSING',
		`${archivedName}: (${reference.columns.join(', ')}) = (${key.join(', ')}) has no row in ${formatTableName(reference.parentName)}`,
		{ hint: 'Restore the parents too (parents: true), or leave these rows out.' },
	)
}
