import type { Restore } from '@reprieve/contracts'
import type { Principal, Services } from '../context.ts'
import { commandRestore } from './command.ts'

/** Ends a restore; what its committed batches brought back stays. Idempotent. Throws NOT_FOUND and CONFLICT. */
export function cancelRestore(services: Services, principal: Principal, input: { id: string }): Promise<Restore> {
	return commandRestore(services, principal, { id: input.id, event: 'cancel' })
}
