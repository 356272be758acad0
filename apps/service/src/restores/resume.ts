import type { Restore } from '@reprieve/contracts'
import type { Principal, Services } from '../context.ts'
import { commandRestore } from './command.ts'

/** Lets a paused restore go on. Idempotent. Throws NOT_FOUND and CONFLICT. */
export function resumeRestore(services: Services, principal: Principal, input: { id: string }): Promise<Restore> {
	return commandRestore(services, principal, { id: input.id, event: 'resume' })
}
