import type { jobCommandInput, Run } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { commandRun } from './command.ts'

/** Asks a run to stop after the batch under way; idempotent. Throws NOT_FOUND, CONFLICT when it is over. */
export function pauseRun(
	services: Services,
	principal: Principal,
	input: z.infer<typeof jobCommandInput>,
): Promise<Run> {
	return commandRun(services, principal, { id: input.id, event: 'pause' })
}
