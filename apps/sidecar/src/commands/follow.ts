import { type Logger, pino } from 'pino'
import type { Sidecar } from '../start.ts'

/** The log of a process: JSON lines on standard output. */
export function processLog(level: string): Logger {
	return pino({ name: 'sidecar', level })
}

/** Milliseconds for what is still under way when everything has stopped. */
const exitMs = 2_000

/** Until SIGINT or SIGTERM, or until it ends by itself. */
export async function untilStopped(sidecar: Sidecar): Promise<void> {
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void sidecar.stop())
	await sidecar.ended
	// KafkaJS may leave connections behind when a consumer is stopped while it joins: they must not keep the process.
	setTimeout(() => process.exit(), exitMs).unref()
}
