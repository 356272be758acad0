import { archivedOn, type Branch, type VaultTable } from '@reprieve/vault'
import { type KnownCommit, TableBuffer } from './buffer.ts'

export type LogPart = {
	/** The lineage's timelines, as the log's sources. */
	branch: Branch
	/** Where redelivery may begin. */
	from: bigint
}

/** A buffer in front of a table's log, with what the log already has; what is spilled goes to segments that nothing names. */
export async function openBuffer(label: string, vault: VaultTable, { branch, from }: LogPart): Promise<TableBuffer> {
	const archived = (await archivedOn(vault, branch, (end) => end - 1n)) ?? 0n
	const known = await knownCommits(vault, from, archived)
	return new TableBuffer(label, vault, {
		archived,
		known,
		async spill(versions) {
			const segments = []
			for (const rows of versions) segments.push(...(await vault.write(rows)))
			return segments
		},
	})
}

async function knownCommits(table: VaultTable, from: bigint, archived: bigint): Promise<Map<bigint, KnownCommit>> {
	const known = new Map<bigint, KnownCommit>()
	if (archived < from) return known
	for await (const rows of table.read({ positions: { from } })) {
		for (let row = 0; row < rows.count; row++) {
			const xid = rows.xid[row] as number
			known.set(rows.position[row] as bigint, { xid, committedAt: rows.committedAt[row] as bigint })
		}
	}
	return known
}
