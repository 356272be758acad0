import type { Finding, Selection } from '@reprieve/contracts'
import { readIncoming, type Transaction } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import { type Reference, readReferences } from '../catalog/references.ts'
import { type Hook, readHooks, readRights } from '../catalog/triggers.ts'
import { readUniques, type Unique } from '../catalog/uniques.ts'
import { driftCode } from '../drift/map-columns.ts'
import { type Component, orderByForeignKeys } from '../order/components.ts'
import { chooseSuppression, type Suppression } from '../order/suppression.ts'
import { resolveSelection, type TableRequest } from '../selection/resolve.ts'
import { openTimelines, type Timelines } from '../selection/timelines.ts'
import { dropStages, type Stage } from '../stage/open.ts'
import { classify, countFates } from './classify.ts'
import { type Gathered, gather } from './gather.ts'
import { type MissingParent, missingParents, requestParents } from './parents.ts'

/** What a preview and a start are asked, with every option decided. */
export type RestoreRequest = {
	selection: Selection
	conflict: 'stop' | 'skip' | 'overwrite'
	triggers: 'suppress' | 'fire'
	rename: Record<string, Record<string, string>>
	parents: boolean
}

export type ExamineContext = {
	vault: Vault
	/** Timeline of transactions that the vault has no record of. */
	timeline: number
	/** Nothing committed beyond this position is looked at. */
	through: bigint
}

/** A selection in stages inside one transaction, compared with what lives now. */
export type Examination = {
	request: RestoreRequest
	tables: Examined[]
	components: SuppressedComponent[]
	references: Reference[]
	uniques: Unique[]
	hooks: Hook[]
	parents: MissingParent[]
	timelines: Timelines
	findings: Finding[]
	/** OIDs of live tables whose triggers stand in the way: a finding says so. */
	unsuppressible: ReadonlySet<number>
	through: bigint
}

/** Without a mode: a finding says why there is none. */
type SuppressedComponent = Component & { mode: Suppression['mode'] | undefined }

export type Examined = Gathered & { counts: Record<string, number> }

/** Memory that each sort of the transaction may take, unless the server gives more: keys of some 200,000 rows. */
const sortBytes = 32 * 1024 * 1024

/** Most rounds of looking for parents of parents. */
const parentRounds = 20

/**
 * Stages the selection and compares it; writes nothing but temporary tables. With `isNarrow` rows are not told `same` from
 * `different` where nothing depends on it, and the vault is read for keys alone. Throws NOT_FOUND, INVALID, VAULT_CORRUPT.
 */
export async function examine(
	tx: Transaction,
	context: ExamineContext,
	request: RestoreRequest,
	{ isNarrow = false } = {},
): Promise<Examination> {
	await tx.unsafe(
		`select set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')), ${sortBytes})::text || 'B', true)`,
	)
	const requests = await resolveSelection(context.vault, request.selection, context.through)
	let narrow = isNarrow && !request.parents
	for (let round = 0; ; round++) {
		const examination = await examineRequests(tx, { ...context, isNarrow: narrow }, request, requests)
		const isShort = examination.tables.some((table) => wantsWhole(table, request))
		const more = request.parents ? requestParents(examination.parents, context.through) : []
		if (!isShort && (more.length === 0 || round === parentRounds)) return examination
		narrow = false
		requests.push(...more)
		await dropStages(
			tx,
			examination.tables.flatMap(({ stage }) => stage ?? []),
		)
	}
}

/** Whether more has to be known of a table's rows than a narrow stage has of them. */
function wantsWhole({ stage, counts }: Examined, { conflict }: RestoreRequest): boolean {
	if (!stage?.only) return false
	return stage.relinks > 0 || (conflict !== 'skip' && (counts.different ?? 0) > 0)
}

async function examineRequests(
	tx: Transaction,
	context: ExamineContext & { isNarrow: boolean },
	request: RestoreRequest,
	requests: TableRequest[],
): Promise<Examination> {
	const { vault, isNarrow } = context
	const timelines = openTimelines(vault, context.timeline)
	const gathered = await gather(tx, { vault, timelines, rename: request.rename, isNarrow }, requests)
	const lives = gathered.flatMap((table) => table.stage?.live ?? [])
	const oids = lives.map((live) => live.oid)
	const uniques = await readUniques(tx, oids)
	const references = await readReferences(tx, oids)
	const hooks = await readHooks(tx, oids)
	const tables: Examined[] = []
	for (const table of gathered) {
		if (table.stage) await classify(tx, table.stage, uniques)
		if (table.stage && table.requests.some((of) => of.newestOnly)) await forgetOlder(tx, table)
		tables.push({ ...table, counts: table.stage ? await countFates(tx, table.stage) : {} })
	}
	const parents = await findMissingParents(tx, { vault: context.vault, timelines }, tables, {
		references,
		uniques,
		conflict: request.conflict,
	})
	const findings = [...driftFindings(tables)]
	const unsuppressible = new Set<number>()
	const rights = await readRights(tx, oids)
	const updated = isUpdating(tables, request) ? await readIncoming(tx, oids) : []
	const components = orderByForeignKeys(oids, references).map((component): SuppressedComponent => {
		const members = lives.filter((live) => component.tables.includes(live.oid))
		const ownHooks = hooks.filter((hook) => component.tables.includes(hook.root))
		const choice = chooseSuppression({
			tables: members,
			hooks: ownHooks,
			uniques,
			references,
			rights,
			updated,
			triggers: request.triggers,
		})
		if (!('code' in choice)) return { ...component, mode: choice.mode }
		findings.push(choice)
		for (const { oid } of members) unsuppressible.add(oid)
		return { ...component, mode: undefined }
	})
	return {
		request,
		tables,
		components,
		references,
		uniques,
		hooks,
		parents,
		timelines,
		findings,
		unsuppressible,
		through: context.through,
	}
}

function isUpdating(tables: Examined[], request: RestoreRequest): boolean {
	return request.conflict === 'overwrite' || tables.some((table) => (table.counts.relinkable ?? 0) > 0)
}

/** Older changes of parents that were only looked up are no part of the selection. */
async function forgetOlder(tx: Transaction, table: Gathered): Promise<void> {
	const { stage, requests } = table
	if (!stage || requests.some((request) => !request.newestOnly)) return
	stage.places?.forget()
	await tx.unsafe(`with old as (delete from ${stage.fate} where state in ('superseded', 'same') returning n)
		delete from ${stage.bookTable} where ${stage.book.n} in (select n from old)`)
}

async function findMissingParents(
	tx: Transaction,
	archive: { vault: Vault; timelines: Timelines },
	tables: Examined[],
	by: { references: Reference[]; uniques: Unique[]; conflict: string },
): Promise<MissingParent[]> {
	const { uniques, conflict } = by
	const stageOf = (oid: number) => tables.find((table) => table.stage?.live.oid === oid)?.stage
	const missing: MissingParent[] = []
	for (const reference of by.references) {
		const child = stageOf(reference.child)
		if (!child || child.rows === 0 || reference.period) continue
		missing.push(
			...(await missingParents(tx, archive, {
				child,
				parent: stageOf(reference.parent),
				reference,
				conflict,
				uniques,
			})),
		)
	}
	return missing
}

function driftFindings(tables: Examined[]): Finding[] {
	return tables.flatMap((table) => {
		if (table.isGone) {
			return [
				{
					code: driftCode,
					table: table.name,
					message: `${table.name} does not exist any more`,
					remedy: 'Create it again, then map its columns with rename.',
				},
			]
		}
		const all = table.stage?.maps.flatMap((map) => map.findings) ?? []
		return all.filter((finding, i) => all.findIndex((other) => other.message === finding.message) === i)
	})
}

/** The stage of a live table. */
export function stageOf(examination: Examination, oid: number): Stage | undefined {
	return examination.tables.find((table) => table.stage?.live.oid === oid)?.stage
}

/** What else the selection's transactions removed: rows per table. */
export function wentWithIt(examination: Examination): Map<string, number> {
	const selected = new Set(examination.tables.map((table) => table.name))
	return new Map([...examination.timelines.rows()].filter(([table]) => !selected.has(table)))
}
