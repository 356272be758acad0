import { formatTableName, type PreviewInput, parseTableName } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { type Examination, type ExamineContext, examine, type RestoreRequest } from '@reprieve/restore'
import { archivedOn } from '@reprieve/vault'
import { requireTables } from '../access/grants.ts'
import { requireKnownVault } from '../archive/known.ts'
import type { Principal, Services } from '../context.ts'

/** The input with every option decided; table names in their one spelling. */
export function toRequest(input: PreviewInput): RestoreRequest {
	const rename = Object.entries(input.rename ?? {}).map(([table, map]) => [formatTableName(parseTableName(table)), map])
	return {
		selection: input.selection,
		conflict: input.conflict ?? 'stop',
		triggers: input.triggers ?? 'suppress',
		rename: Object.fromEntries(rename),
		parents: input.parents ?? false,
	}
}

/** Examines the selection for a principal. Throws FORBIDDEN when it touches a table without a grant, VAULT_UNAVAILABLE. */
export async function examineFor(
	services: Services,
	principal: Principal,
	tx: Transaction,
	asked: { request: RestoreRequest; through: bigint; isNarrow?: boolean },
): Promise<Examination> {
	const { request, isNarrow = false } = asked
	const { selection } = request
	if ('table' in selection) requireTables(principal, [selection.table])
	await requireKnownVault(services)
	const examination = await examine(tx, await examineContext(services, asked.through), request, { isNarrow })
	requireTables(
		principal,
		examination.tables.map((table) => table.name),
	)
	return examination
}

async function examineContext(services: Services, through: bigint): Promise<ExamineContext> {
	const [row] = await services.control.sql<{ timeline: number }[]>`
		select timeline from reprieve.lineages where id = ${await services.lineage()}`
	return { vault: services.vault, timeline: row?.timeline ?? 1, through }
}

/** The newest commit position of any lineage that the vault has in full. */
export async function archivedThrough(services: Services): Promise<bigint> {
	const { transactions } = services.vault
	const lineages = await services.control.sql<{ id: string; timeline: number }[]>`
		select id, timeline from reprieve.lineages`
	let newest = 0n
	for (const lineage of lineages) {
		const archived = (await archivedOn(transactions, await transactions.branch(lineage), (end) => end)) ?? 0n
		if (archived > newest) newest = archived
	}
	return newest
}
