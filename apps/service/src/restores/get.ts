import type { Restore, restoreGetInput } from '@reprieve/contracts'
import type { z } from 'zod'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { isFinal } from '../runs/lifecycle.ts'
import { waitFor } from '../wait.ts'
import { readRestore, toRestore } from './read.ts'

/** One restore; with `wait` (seconds) once its status is final or the time is up. Throws NOT_FOUND and FORBIDDEN. */
export async function getRestore(
	services: Services,
	principal: Principal,
	input: z.infer<typeof restoreGetInput>,
): Promise<Restore> {
	const read = async () => {
		const row = await readRestore(services, input.id)
		requireTables(principal, Object.keys(row.report ?? {}))
		return row
	}
	return toRestore(await waitFor(read, (row) => isFinal(row.status), input.wait))
}
