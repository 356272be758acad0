import type { jobCommandInput, Run } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { commandRun } from './command.ts'

/** Ends a run after the batch under way; what it deleted stays deleted and restorable. Throws NOT_FOUND, CONFLICT. */
export function cancelRun(
	services: Services,
	principal: Principal,
	input: z.infer<typeof jobCommandInput>,
): Promise<Run> {
	return commandRun(services, principal, { id: input.id, event: 'cancel' })
}
