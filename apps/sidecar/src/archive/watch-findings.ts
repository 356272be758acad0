import type { Finding } from '@reprieve/contracts'
import type { SessionOptions } from '../session.ts'
import { recordFindings } from './record.ts'

/** Looks at intervals for what is wrong on the way to the vault, and records it where the gate reads it. */
export function watchFindings(
	{ control, log }: Pick<SessionOptions, 'control' | 'log'>,
	look: () => Promise<Finding[]>,
	{ everyMs, fail }: { everyMs: number; fail: (error: unknown) => void },
): NodeJS.Timeout {
	let isBusy = false
	let known = ''
	const round = () => {
		if (isBusy) return
		isBusy = true
		look()
			.then(async (found) => {
				if (JSON.stringify(found) === known) return
				if (found.length > 0) log.warn({ findings: found }, 'the way to the vault is not as it must be')
				if (await recordFindings(control, found)) known = JSON.stringify(found)
			})
			.catch(fail)
			.finally(() => {
				isBusy = false
			})
	}
	round()
	return setInterval(round, everyMs)
}
