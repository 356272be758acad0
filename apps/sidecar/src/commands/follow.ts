import { type Logger, pino } from 'pino'
import type { Sidecar } from '../start.ts'

/** The log of a process: JSON lines on standard output. */
export function processLog(level: string): Logger {
	return pino({ name: 'sidecar', level })
}

/** Until SIGINT or SIGTERM, or until it ends by itself. */
export async function untilStopped(sidecar: Sidecar): Promise<void> {
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void sidecar.stop())
	await sidecar.ended
}
