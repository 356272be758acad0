import type { Principal } from './context.ts'
import { asReprieveError } from './errors.ts'
import { recordRefusal } from './record.ts'
import type { Call } from './trpc.ts'

/**
 * Records that a change was asked for in a way that nobody can read: what it asked is not kept. It counts as a call, so that
 * nobody fills the audit with these. Throws RATE_LIMITED.
 */
export async function recordUnread(
	{ services, rate }: Pick<Call, 'services' | 'rate'>,
	principal: Principal,
	{ path, cause }: { path: string; cause: unknown },
): Promise<void> {
	rate.take(principal.id)
	await recordRefusal(services, principal, path, asReprieveError(cause))
}
