import { type Finding, ReprieveError } from '@reprieve/contracts'

/** Codes of findings that a capture leaves when it breaks off: whoever streams takes them away. */
export const breakCodes = ['captureNotPermitted', 'captureBroken'] as const

type BreakCode = (typeof breakCodes)[number]

/** What broke capture off, as a finding. A right that is missing may be given at any time: it has a code of its own. */
export function findBreak(error: unknown): Finding & { code: BreakCode } {
	const { code, message = String(error) } = error as { code?: unknown; message?: string }
	if (code === '42501') {
		return {
			code: 'captureNotPermitted',
			message: `PostgreSQL refuses capture: ${message}`,
			remedy: 'Give the role of capture that right (for the slot: REPLICATION); capture tries again by itself.',
		}
	}
	const hint = error instanceof ReprieveError ? error.hint : undefined
	return {
		code: 'captureBroken',
		message: `capture broke off and is started again: ${message}`,
		remedy: hint ?? 'Mend what the message names; capture tries again by itself and closes this.',
	}
}
