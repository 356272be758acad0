import type { Restore, restoreGetInput } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { isFinal } from '../runs/lifecycle.ts'
import { waitFor } from '../wait.ts'
import { readRestore, toRestore } from './read.ts'

/** One restore; with `wait` (seconds) once its status is final or the time is up. Throws NOT_FOUND. */
export async function getRestore(
	services: Services,
	_principal: Principal,
	input: z.infer<typeof restoreGetInput>,
): Promise<Restore> {
	const read = () => readRestore(services, input.id)
	return toRestore(await waitFor(read, (row) => isFinal(row.status), input.wait))
}
