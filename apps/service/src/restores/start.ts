import { randomUUID } from 'node:crypto'
import { type Finding, ReprieveError, type Restore, type restoreStartInput } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import {
	digest,
	driftCode,
	type Examination,
	enlist,
	type RestoreCursor,
	suppressionCode,
	throughOf,
} from '@reprieve/restore'
import type { z } from 'zod'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { findRestore, type RestoreReport, readRestore, toRestore } from './read.ts'
import { examineFor, toRequest } from './request.ts'

export type RestoreStartInput = z.infer<typeof restoreStartInput>

/** Rows of one batch, which is one transaction. */
const defaultBatchRows = 25_000

/**
 * Queues a restore of exactly what the preview of this hash showed. Throws CONFLICT when the selection or (for an
 * overwrite) the live rows are others now or rows are in the way, SCHEMA_DRIFT, PARENT_MISSING, NOT_RESTORABLE. What only
 * the rows' other values tell may come with a batch instead: that one does not fit a column of another type (SCHEMA_DRIFT),
 * under `skip` that one is too long to be shown beside a live row (LIMIT_EXCEEDED). Where there is a restore of this id
 * already, it answers that one.
 */
export async function startRestore(
	services: Services,
	principal: Principal,
	input: RestoreStartInput,
	options: { batchRows?: number; id?: string } = {},
): Promise<Restore> {
	const id = options.id ?? randomUUID()
	const made = await findRestore(services, id)
	if (made) {
		requireTables(principal, Object.keys(made.report ?? {}))
		return toRestore(made)
	}
	const request = toRequest({
		selection: input.selection,
		conflict: input.conflict,
		triggers: input.triggers,
		rename: input.rename,
		parents: input.parents,
	})
	const through = throughOf(input.hash)
	await services.pools.restore.begin('isolation level repeatable read', async (tx) => {
		const examination = await examineFor(services, principal, tx, { request, through, isNarrow: true })
		const hash = await digest(tx, examination)
		if (hash !== input.hash) throw changedSince(input.hash, hash)
		refuse(examination)
		const cursor = await enlist(tx, examination, { id, batchRows: options.batchRows ?? defaultBatchRows })
		await insertRestore(tx, examination, { id, hash, reason: input.reason, actor: principal.name, cursor })
		await tx`select pg_notify('reprieve_restores', ${id})`
	})
	return toRestore(await readRestore(services, id))
}

function changedSince(previewed: string, now: string): ReprieveError {
	return new ReprieveError('CONFLICT', `the preview's hash is ${previewed}, the selection's is ${now}`, {
		hint: 'Preview again with the same options, and start with the hash that it answers.',
	})
}

/** Everything that a preview shows and that nobody may pass over. */
function refuse(examination: Examination): void {
	refuseFindings(examination.findings, driftCode, 'SCHEMA_DRIFT')
	refuseFindings(examination.findings, suppressionCode, 'NOT_RESTORABLE')
	const [parent] = examination.parents
	if (parent) {
		throw new ReprieveError(
			'PARENT_MISSING',
			`${examination.parents.length} parents are missing, first ${parent.table} ${JSON.stringify(parent.key)}`,
			{ hint: parent.archived ? 'Bring them back too: parents: true.' : 'Leave their children out of the selection.' },
		)
	}
	const { conflict } = examination.request
	const states = { stop: ['different', 'taken'], overwrite: ['taken'], skip: [] }[conflict]
	for (const table of examination.tables) {
		const inTheWay = states.reduce((sum, state) => sum + (table.counts[state] ?? 0), 0)
		if (inTheWay === 0) continue
		throw new ReprieveError('CONFLICT', `${table.name}: ${inTheWay} rows are in the way`, {
			hint: conflict === 'stop' ? 'Choose conflict skip or overwrite.' : 'Choose conflict skip, or make room for them.',
		})
	}
}

function refuseFindings(findings: Finding[], code: string, as: 'SCHEMA_DRIFT' | 'NOT_RESTORABLE'): void {
	const found = findings.filter((finding) => finding.code === code)
	const [first] = found
	if (!first) return
	throw new ReprieveError(as, found.map((finding) => `${finding.table}: ${finding.message}`).join('; '), {
		hint: first.remedy,
	})
}

type NewRestore = { id: string; hash: string; reason: string; actor: string; cursor: RestoreCursor }

async function insertRestore(tx: Transaction, examination: Examination, restore: NewRestore): Promise<void> {
	const { selection, ...options } = examination.request
	const report: RestoreReport = {}
	for (const { name, counts } of examination.tables) {
		const selected = Object.values(counts).reduce((sum, rows) => sum + rows, 0)
		report[name] = { selected, restored: 0, identical: 0, skipped: 0, relinked: 0, verified: 0 }
	}
	const selected = Object.values(report).reduce((sum, table) => sum + table.selected, 0)
	await tx`
		insert into reprieve.restores (id, status, selection, options, hash, reason, actor, selected, cursor, report, created_at)
		values (${restore.id}, 'queued', ${JSON.stringify(selection)}::text::jsonb, ${JSON.stringify(options)}::text::jsonb,
			${restore.hash}, ${restore.reason}, ${restore.actor}, ${selected}, ${JSON.stringify(restore.cursor)}::text::jsonb,
			${JSON.stringify(report)}::text::jsonb, clock_timestamp())`
}
