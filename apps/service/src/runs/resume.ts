import type { jobCommandInput, Run } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { commandRun } from './command.ts'

/** Lets a paused run go on, or withdraws a request to pause; idempotent. Throws NOT_FOUND, CONFLICT when it is over. */
export function resumeRun(
	services: Services,
	principal: Principal,
	input: z.infer<typeof jobCommandInput>,
): Promise<Run> {
	return commandRun(services, principal, { id: input.id, event: 'resume' })
}
