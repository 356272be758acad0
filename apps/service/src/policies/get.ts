import type { policyGetInput, policyItem } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readPolicy } from './resolve.ts'

/** One version of a named policy, by default the newest. Throws NOT_FOUND or FORBIDDEN. */
export async function getPolicy(
	services: Services,
	principal: Principal,
	input: z.infer<typeof policyGetInput>,
): Promise<z.infer<typeof policyItem>> {
	return await readPolicy(services, principal, input)
}
