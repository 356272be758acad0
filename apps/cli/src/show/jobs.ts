import type { Failure, Plan, Preview, Restore, Run } from '@reprieve/client'
import { cells, count, table } from './table.ts'

/** A plan in full: what would go, what would go with it, and what to do next. */
export function planLines(plan: Plan): string[] {
	return [
		`plan ${plan.id} is ${plan.status}`,
		`${count(plan.rows)} rows of ${plan.table}${plan.blocked ? `, ${count(plan.blocked)} more are held by children` : ''}`,
		...plan.dependents.map(({ table, action, rows }) => `  ${actionWords[action]} ${count(rows)} rows of ${table}`),
		...(plan.sample.length > 0 ? ['for example:', ...plan.sample.slice(0, 5).map((row) => `  ${cells(row)}`)] : []),
		...plan.findings.map(({ message, remedy }) => `finding: ${message}. ${remedy}`),
		...failureLines(plan.failure),
		`hash ${plan.hash}, expires ${plan.expiresAt}`,
		...(plan.status === 'awaitingApproval' ? [`approve it: reprieve approve ${plan.id} --hash ${plan.hash}`] : []),
		...(plan.status === 'ready' || plan.status === 'approved'
			? [`run it: reprieve run ${plan.id} --reason "..."`]
			: []),
	]
}

const actionWords = {
	delete: 'deletes',
	setNull: 'sets a reference to NULL in',
	setDefault: 'sets a reference to its default in',
}

/** A run in full. */
export function runLines(run: Run): string[] {
	return [
		`run ${run.id} is ${run.status}: ${run.table}, ${run.reason}`,
		`planned ${count(run.planned)}, deleted ${count(run.deleted)}, archived ${count(run.archived)}, drifted ${count(run.drifted)}` +
			(run.relinked ? `, relinked ${count(run.relinked)}` : '') +
			(run.collateral ? `, by triggers ${count(run.collateral)}` : ''),
		...(run.exposure ? [`exposure: ${count(run.exposure)} rows without a receipt`] : []),
		...waitingLines(run.waiting),
		...failureLines(run.failure),
	]
}

/** A restore in full. */
export function restoreLines(restore: Restore): string[] {
	return [
		`restore ${restore.id} is ${restore.status}: ${restore.reason}`,
		`selected ${count(restore.selected)}, restored ${count(restore.restored)}, identical ${count(restore.identical)}, ` +
			`skipped ${count(restore.skipped)}, conflicts ${count(restore.conflicts)}, relinked ${count(restore.relinked)}, verified ${count(restore.verified)}`,
		...waitingLines(restore.waiting),
		...failureLines(restore.failure),
	]
}

/** Then versus now, per table. */
export function previewLines(preview: Preview): string[] {
	const rows = preview.tables.map((t) => [
		t.table,
		t.rows,
		t.missing,
		t.same,
		t.different,
		t.taken,
		t.superseded,
		t.relinks,
	])
	return [
		...table(['table', 'rows', 'missing', 'same', 'different', 'taken', 'superseded', 'relinks'], rows),
		...preview.parents.map(
			({ table, key, archived }) =>
				`parent missing: ${table} ${cells(key)}${archived ? ', in the archive (--parents)' : ''}`,
		),
		...preview.findings.map(({ message, remedy }) => `finding: ${message}. ${remedy}`),
		...(preview.complete ? [] : ['PARTIAL: the archive has a gap here or lags']),
		`hash ${preview.hash}`,
	]
}

function waitingLines(waiting: Run['waiting']): string[] {
	return waiting ? [`waiting: ${waitingText(waiting)}`] : []
}

/** Why a job waits, and at which number. */
export function waitingText({ reason, reading, limit }: NonNullable<Run['waiting']>): string {
	if (reason === 'window') return `window opens in ${count(reading / 60)} min`
	return `${reason} ${count(reading)} of ${count(limit)}`
}

function failureLines(failure: Failure | undefined): string[] {
	if (!failure) return []
	const key = failure.key ? ` (${cells(failure.key)})` : ''
	return [`failed: ${failure.code}: ${failure.message}${key}`, ...(failure.hint ? [failure.hint] : [])]
}
