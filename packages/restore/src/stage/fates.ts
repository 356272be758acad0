import type { Transaction } from '@reprieve/postgres'
import type { Stage } from './open.ts'

const missing = "'missing'::text as state, null::text as version, null::text as note, false as early"

/** SQL that joins to a staged row what is to become of it. */
export function joinFate(stage: Stage, row = 's', fate = 'f'): string {
	const n = `${row}.${stage.book.n}`
	if (!stage.areMissing) return `join ${stage.fate} ${fate} on ${fate}.n = ${n}`
	return `cross join lateral (select ${n} as n, ${missing}) ${fate}`
}

/** Writes down what is to become of each row, before it becomes another thing of one than of the others. */
export async function writeFates(tx: Transaction, stage: Stage): Promise<void> {
	if (!stage.areMissing) return
	await tx.unsafe(`insert into ${stage.fate} (n, state) select s.${stage.book.n}, 'missing' from ${stage.bookTable} s`)
	stage.areMissing = false
}
