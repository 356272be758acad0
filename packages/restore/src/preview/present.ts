import { cellFromText, type Finding, type Preview, quoteIdentifier, type Row } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { countBroughtBack } from '../execute/decide.ts'
import { ownRows, storedColumns, textOf } from '../stage/columns.ts'
import { joinFate } from '../stage/fates.ts'
import type { Stage } from '../stage/open.ts'
import { relinkStates } from './classify.ts'
import { type Examination, type Examined, wentWithIt } from './examine.ts'
import { keyUnique, sameKey } from './key.ts'
import { parentKey } from './parents.ts'

/** Conflicting rows shown per table. */
const sampleRows = 10

/** What a preview answers; `findings` are those that the caller adds (capture gaps, a lagging archive). */
export async function presentPreview(
	tx: Transaction,
	examination: Examination,
	rest: { hash: string; complete: boolean; findings: Finding[] },
): Promise<Preview> {
	const tables: Preview['tables'] = []
	for (const table of examination.tables) tables.push(await presentTable(tx, examination, table))
	return {
		tables,
		parents: examination.parents.map((parent) => ({
			table: parent.table,
			key: parentKey(parent),
			archived: parent.archived,
		})),
		findings: [
			...examination.findings,
			...(await broughtBackFindings(tx, examination)),
			...noteFindings(examination),
			...rest.findings,
		],
		complete: rest.complete,
		hash: rest.hash,
	}
}

async function presentTable(
	tx: Transaction,
	examination: Examination,
	table: Examined,
): Promise<Preview['tables'][number]> {
	const { counts, stage } = table
	const of = (...states: string[]) => states.reduce((sum, state) => sum + (counts[state] ?? 0), 0)
	return {
		table: table.name,
		rows: of('missing', 'same', 'different', 'taken', 'superseded') + table.drifted,
		missing: of('missing'),
		same: of('same'),
		different: of('different'),
		taken: of('taken'),
		superseded: of('superseded'),
		relinks: of(...relinkStates),
		sample: stage && of('different', 'taken', 'gone', 'changed') > 0 ? await sample(tx, examination, stage) : [],
	}
}

async function sample(
	tx: Transaction,
	examination: Examination,
	stage: Stage,
): Promise<Preview['tables'][number]['sample']> {
	const columns = storedColumns(stage.live)
	const texts = (alias: string) =>
		`to_json(array[${columns.map((column) => textOf(`${alias}.${quoteIdentifier(column.name)}`)).join(', ')}]::text[])`
	const key = keyUnique(stage.live, examination.uniques)
	const rows = await tx.unsafe<
		{ state: string; archived: (string | null)[]; live: (string | null)[]; lives: boolean }[]
	>(
		`select f.state, ${texts('s')} as archived, ${texts('t')} as live, t.tableoid is not null as lives
		from ${stage.sql} s ${joinFate(stage)}
		left join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')}
		where f.state in ('different', 'taken', 'gone', 'changed') order by f.n limit ${sampleRows}`,
	)
	const toRow = (values: (string | null)[]): Row =>
		Object.fromEntries(columns.map((column, i) => [column.name, cellFromText(values[i] ?? null, column.typeOid)]))
	return rows.map((row) => {
		const archived = toRow(row.archived)
		const keyRow = Object.fromEntries(stage.live.key.map((name) => [name, archived[name] ?? null]))
		return { key: keyRow, archived, ...(row.lives ? { live: toRow(row.live) } : {}), state: row.state }
	})
}

/** A change comes back once: what was deleted again since has a newer change, and that is the one to pick. */
async function broughtBackFindings(tx: Transaction, examination: Examination): Promise<Finding[]> {
	const findings: Finding[] = []
	for (const { stage, name, counts } of examination.tables) {
		const rows = stage && (counts.missing ?? 0) > 0 ? await countBroughtBack(tx, stage) : 0
		if (rows === 0) continue
		findings.push({
			code: 'broughtBackBefore',
			table: name,
			message: `${rows} rows were brought back before and are gone again: this restore leaves them out`,
			remedy: 'Select their newest deletion: by table and key, or by its own run or transaction.',
		})
	}
	return findings
}

/** What the operator should know, and need not answer. */
function noteFindings(examination: Examination): Finding[] {
	const findings: Finding[] = []
	for (const { stage, name } of examination.tables) {
		if (!stage) continue
		const generated = stage.live.columns.filter((column) => column.generated !== '').map((column) => column.name)
		if (generated.length > 0) {
			findings.push({
				code: 'generatedColumns',
				table: name,
				message: `generated columns are computed anew: ${generated.join(', ')}`,
				remedy: 'Nothing to do.',
			})
		}
		const always = stage.live.columns.filter((column) => column.identity === 'a').map((column) => column.name)
		if (always.length > 0) {
			findings.push({
				code: 'identityKept',
				table: name,
				message: `identity columns keep their archived values: ${always.join(', ')}`,
				remedy: 'Nothing to do.',
			})
		}
		const hooks = examination.hooks.filter((hook) => hook.root === stage.live.oid).map((hook) => hook.name)
		if (hooks.length > 0 && !examination.unsuppressible.has(stage.live.oid)) {
			const fire = examination.request.triggers === 'fire'
			findings.push({
				code: fire ? 'triggersFire' : 'triggersSuppressed',
				table: name,
				message: `${fire ? 'triggers will fire' : 'triggers are kept from firing'}: ${[...new Set(hooks)].join(', ')}`,
				remedy: fire
					? 'Choose triggers suppress to bring the rows back exactly.'
					: 'Choose triggers fire to have their effects too.',
			})
		}
	}
	for (const [table, rows] of wentWithIt(examination)) {
		findings.push({
			code: 'wentWithIt',
			table,
			message: `the same transactions removed ${rows} rows of ${table} that are not selected`,
			remedy: 'Select the transaction or the run to bring them back too.',
		})
	}
	return findings
}
