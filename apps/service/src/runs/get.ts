import type { Run, runGetInput } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { waitFor } from '../wait.ts'
import { isFinal } from './lifecycle.ts'
import { readRun, toRun } from './show.ts'

/** One run; with `wait`, when its status is final or the seconds are up. Throws NOT_FOUND. */
export async function getRun(
	services: Services,
	principal: Principal,
	input: z.infer<typeof runGetInput>,
): Promise<Run> {
	const read = () => readRun(services, principal, input.id)
	return toRun(await waitFor(read, (row) => isFinal(row.status), input.wait))
}
