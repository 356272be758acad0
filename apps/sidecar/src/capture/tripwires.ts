import type { OldImage, Tuple } from '@reprieve/cdc'
import { formatLsn, formatTableName } from '@reprieve/contracts'
import { makeIncident } from '../incident.ts'
import type { Mapping } from './mapping.ts'
import { type OpenTransaction, report } from './transaction.ts'
import { isNullAt } from './tuple.ts'

export type OldRow = { mapping: Mapping; image: OldImage; old: Tuple }

const protectAgain = 'Protect the table again; rows deleted meanwhile are a capture gap and cannot be brought back.'

/** Reports what is wrong with a deleted row's image, if anything: once per transaction, table and kind. */
export function tripOnImage(transaction: OpenTransaction, row: OldRow): void {
	const missing = nullIn(row.old, row.mapping.notNull)
	const isWhole = row.image === 'O' && row.mapping.relation.identity === 'f' && missing === undefined
	// Nearly every row is: in a function of its own, the closures that a report wants cost it nothing.
	if (!isWhole) reportImage(transaction, row, missing)
}

function reportImage(transaction: OpenTransaction, { mapping, image }: OldRow, missing: number | undefined): void {
	const { position } = transaction
	const table = mapping.label
	const { identity, columns } = mapping.relation
	const where = () => `${formatTableName(mapping.relation)} at ${formatLsn(position)}`
	const trip = (code: string, message: string) =>
		makeIncident({ code, message, remedy: protectAgain, table, position, stopsCapture: false })
	if (image === 'K') {
		const incident = trip('PARTIAL_IMAGE', `a row deleted from ${where()} came with its key columns only`)
		report(transaction, incident, { table, position, reason: 'deleted rows came with their key columns only' })
		return
	}
	if (identity !== 'f')
		report(transaction, trip('IDENTITY_NOT_FULL', `${where()} had replica identity ${identity}, not f`))
	if (missing === undefined) return
	const column = columns[missing]?.name
	report(
		transaction,
		trip('NULL_IN_NOT_NULL', `a row deleted from ${where()} has NULL in ${column}, which is NOT NULL`),
	)
}

/** The first of the places that has NULL. */
function nullIn(row: Tuple, places: readonly number[]): number | undefined {
	for (const place of places) if (isNullAt(row, place)) return place
	return undefined
}

/** An update without its whole old row hides the parent that it named: a rewritten foreign key may be lost. */
export function tripOnUpdate(transaction: OpenTransaction, mapping: Mapping): void {
	const { position } = transaction
	const table = mapping.label
	const incident = makeIncident({
		code: 'IDENTITY_NOT_FULL',
		message: `a row updated in ${formatTableName(mapping.relation)} at ${formatLsn(position)} came without its old values`,
		remedy: protectAgain,
		table,
		position,
		stopsCapture: false,
	})
	report(transaction, incident, { table, position, reason: 'rewritten foreign keys came without their old values' })
}

/** A source that is not the server's own text lost a value: the row is not archived with another in its place. */
export function tripOnLoss(transaction: OpenTransaction, mapping: Mapping, reason: string): void {
	const { position } = transaction
	const table = mapping.label
	const incident = makeIncident({
		code: 'LOSSY_VALUE',
		message: `a row deleted from ${formatTableName(mapping.relation)} at ${formatLsn(position)} did not come whole: ${reason}`,
		remedy: "Take the row from a backup if it is needed; archive this table by reprieve's own capture.",
		table,
		position,
		stopsCapture: false,
	})
	report(transaction, incident, { table, position, reason: 'deleted rows did not come whole' })
}

/** A TRUNCATE carries no rows: reported, unless the guard deleted (and so archived) the leaf's rows before. */
export function tripOnTruncate(transaction: OpenTransaction, mapping: Mapping): void {
	if (transaction.truncateTags.has(mapping.relation.oid)) return
	const { position } = transaction
	const table = mapping.label
	const incident = makeIncident({
		code: 'TRUNCATED',
		message: `${formatTableName(mapping.relation)} was truncated at ${formatLsn(position)}; its rows were not archived`,
		remedy: 'Protect the table again, which puts the TRUNCATE guard back; the rows cannot be brought back.',
		table,
		position,
		stopsCapture: false,
	})
	report(transaction, incident, { table, position, reason: 'TRUNCATE: the log has none of its rows' })
}
