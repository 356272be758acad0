import type { Run } from '@reprieve/contracts'
import { runs } from '@reprieve/control'
import { eq, sql } from 'drizzle-orm'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { isFinal, nextStatus } from './lifecycle.ts'
import { noRun, toRun } from './show.ts'

/** Channel on which workers hear that a run waits for them. */
const channel = 'reprieve_runs'

/** Applies a caller's command to a run and wakes the workers. Throws NOT_FOUND, FORBIDDEN, CONFLICT with the reason. */
export async function commandRun(
	services: Services,
	principal: Principal,
	command: { id: string; event: 'pause' | 'resume' | 'cancel' },
): Promise<Run> {
	return await services.control.db.transaction(async (tx) => {
		const [row] = await tx.select().from(runs).where(eq(runs.id, command.id)).for('update')
		if (!row) throw noRun(command.id)
		requireTables(principal, [row.table])
		const status = nextStatus(command.event, row.status)
		if (status === row.status) return toRun(row)
		const finishedAt = isFinal(status) ? sql`clock_timestamp()` : row.finishedAt
		const [updated] = await tx.update(runs).set({ status, finishedAt }).where(eq(runs.id, row.id)).returning()
		await tx.execute(sql`select pg_notify(${channel}, ${row.id})`)
		return toRun(updated ?? row)
	})
}
