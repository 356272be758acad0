import { setTimeout as sleep } from 'node:timers/promises'
import type { Restore, restoreGetInput } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { isFinal } from '../runs/lifecycle.ts'
import { readRestore, toRestore } from './read.ts'

const pollMs = 200

/** One restore; with `wait` (seconds) once its status is final or the time is up. Throws NOT_FOUND. */
export async function getRestore(
	services: Services,
	_principal: Principal,
	input: z.infer<typeof restoreGetInput>,
): Promise<Restore> {
	const deadline = performance.now() + (input.wait ?? 0) * 1000
	for (;;) {
		const row = await readRestore(services, input.id)
		const leftMs = deadline - performance.now()
		if (isFinal(row.status) || leftMs <= 0) return toRestore(row)
		await sleep(Math.min(pollMs, leftMs))
	}
}
