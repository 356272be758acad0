import { formatTableName, quoteIdentifier, ReprieveError } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { type Reference, referencing } from '../catalog/references.ts'
import { allPresent } from '../preview/parents.ts'
import { textOf } from '../stage/columns.ts'
import { joinFate } from '../stage/fates.ts'
import type { Stage } from '../stage/open.ts'

/**
 * Does for rows written without triggers what the foreign key's own trigger does: locks every parent FOR KEY SHARE and
 * counts that none is absent. An anti-join alone would race with a parent's delete (exactness.md 9.5). Throws
 * PARENT_MISSING.
 */
export async function checkReference(
	tx: Transaction,
	stage: Stage,
	reference: Reference,
	states: string,
): Promise<void> {
	const columns = reference.columns.map(quoteIdentifier)
	const live = `select distinct ${columns.map((column) => `s.${column}`).join(', ')}
		from ${referencing(stage.sql, reference)} s ${joinFate(stage)} where f.state in ${states}`
	const wanted = `(${live} and ${allPresent(reference.columns, 's')})`
	if (reference.full) await refusePartialNull(tx, stage, reference, states)
	const pairs = reference.columns
		.map(
			(column, i) =>
				`p.${quoteIdentifier(reference.references[i] ?? '')} ${reference.operators[i]} w.${quoteIdentifier(column)}`,
		)
		.join(' and ')
	const texts = columns.map((column) => textOf(`w.${column}`)).join(', ')
	// Row by row, as the trigger does: a join is planned badly where the parents came since their table was analyzed.
	const [absent] = await tx.unsafe<{ key: (string | null)[] }[]>(
		`with held as materialized (
			select w.* from ${wanted} w cross join lateral (select from ${reference.parentSql} p where ${pairs} for key share) h)
		select json_build_array(${texts}) as key from (${wanted.slice(1, -1)} except select * from held) w limit 1`,
	)
	if (absent) throw parentMissing(stage, reference, absent.key)
}

async function refusePartialNull(tx: Transaction, stage: Stage, reference: Reference, states: string): Promise<void> {
	const values = reference.columns.map((column) => `s.${quoteIdentifier(column)}`).join(', ')
	const [mixed] = await tx.unsafe<{ key: (string | null)[] }[]>(
		`select json_build_array(${reference.columns.map((column) => textOf(`s.${quoteIdentifier(column)}`)).join(', ')}) as key
		from ${referencing(stage.sql, reference)} s ${joinFate(stage)}
		where f.state in ${states} and num_nulls(${values}) between 1 and ${reference.columns.length - 1} limit 1`,
	)
	if (mixed) throw parentMissing(stage, reference, mixed.key)
}

function parentMissing(stage: Stage, reference: Reference, key: (string | null)[]): ReprieveError {
	return new ReprieveError(
		'PARENT_MISSING',
		`${stage.archivedName}: (${reference.columns.join(', ')}) = (${key.join(', ')}) has no row in ${formatTableName(reference.parentName)}`,
		{ hint: 'Restore the parents too (parents: true), or leave these rows out.' },
	)
}
