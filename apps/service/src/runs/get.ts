import { setTimeout as sleep } from 'node:timers/promises'
import type { Run, runGetInput } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { isFinal } from './lifecycle.ts'
import { readRun, toRun } from './show.ts'

const pollMs = 200

/** One run; with `wait`, when its status is final or the seconds are up. Throws NOT_FOUND. */
export async function getRun(
	services: Services,
	principal: Principal,
	input: z.infer<typeof runGetInput>,
): Promise<Run> {
	const deadline = performance.now() + (input.wait ?? 0) * 1000
	for (;;) {
		const row = await readRun(services, principal, input.id)
		const left = deadline - performance.now()
		if (isFinal(row.status) || left <= 0) return toRun(row)
		await sleep(Math.min(pollMs, left))
	}
}
