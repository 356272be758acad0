import { quoteIdentifier } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { readSequences } from '../catalog/sequences.ts'
import { joinFate } from '../stage/fates.ts'
import type { Stage } from '../stage/open.ts'
import { writtenStates } from './write-rows.ts'

/** OID of a table, and SQL of a FROM item `s` with what was restored of it. */
export type Restored = { table: number; rows: string }

/** What a stage says that its batch writes. */
export function restoredOf(stage: Stage): Restored {
	const rows = `select s.* from ${stage.sql} s ${joinFate(stage)} where f.state in ${writtenStates}`
	return { table: stage.live.oid, rows: `(${rows}) s` }
}

/** Moves sequences forward where a restored value lies beyond what they have handed out; never backward. */
export async function advanceSequences(tx: Transaction, restored: Restored[]): Promise<void> {
	const sequences = await readSequences(
		tx,
		restored.map(({ table }) => table),
	)
	for (const sequence of sequences) {
		const rows = restored.find(({ table }) => table === sequence.table)?.rows
		const most = sequence.ascending ? 'max' : 'min'
		const beyond = sequence.ascending ? '>' : '<'
		await tx.unsafe(`select setval(${regclass(sequence.name)}, w.value)
			from (select ${most}(s.${quoteIdentifier(sequence.column)})::int8 as value from ${rows}) w, ${sequence.name} q
			where w.value ${beyond} q.last_value or (w.value = q.last_value and not q.is_called)`)
	}
}

function regclass(name: string): string {
	return `'${name.replaceAll("'", "''")}'::regclass`
}
