import { quoteIdentifier } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { readSequences } from '../catalog/sequences.ts'
import { joinFate } from '../stage/fates.ts'
import type { Stage } from '../stage/open.ts'
import { writtenStates } from './write-rows.ts'

/** Moves sequences forward where a restored value lies beyond what they have handed out; never backward. */
export async function advanceSequences(tx: Transaction, stages: Stage[]): Promise<void> {
	const sequences = await readSequences(
		tx,
		stages.map((stage) => stage.live.oid),
	)
	for (const sequence of sequences) {
		const stage = stages.find((each) => each.live.oid === sequence.table) as Stage
		const most = sequence.ascending ? 'max' : 'min'
		const beyond = sequence.ascending ? '>' : '<'
		await tx.unsafe(`select setval(${regclass(sequence.name)}, w.value)
			from (select ${most}(s.${quoteIdentifier(sequence.column)})::int8 as value from ${stage.sql} s
				${joinFate(stage)} where f.state in ${writtenStates}) w, ${sequence.name} q
			where w.value ${beyond} q.last_value or (w.value = q.last_value and not q.is_called)`)
	}
}

function regclass(name: string): string {
	return `'${name.replaceAll("'", "''")}'::regclass`
}
