import type { Restore } from '@reprieve/contracts'
import type { Principal, Services } from '../context.ts'
import { commandRestore } from './command.ts'

/** Asks a restore to stand still; the batch under way ends first. Idempotent. Throws NOT_FOUND and CONFLICT. */
export function pauseRestore(services: Services, principal: Principal, input: { id: string }): Promise<Restore> {
	return commandRestore(services, principal, { id: input.id, event: 'pause' })
}
