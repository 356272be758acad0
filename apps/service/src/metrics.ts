import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Services } from './context.ts'
import { systemStatus } from './system/status.ts'

export type Metrics = {
	contentType: string
	answered(method: string, path: string, status: number, seconds: number): void
	/** What was refused before anybody knew what it asks. */
	refused(status: number): void
	unauthenticated(): void
	/** The text of all readings. */
	expose(): Promise<string>
}

/** Readings of one service, in a registry of its own. */
export function createMetrics(services: Services): Metrics {
	const registers = [new Registry()]
	const [registry] = registers as [Registry]
	const labelNames = ['surface', 'method', 'status'] as const
	const requests = new Counter({ name: 'reprieve_requests_total', help: 'HTTP requests', labelNames, registers })
	const seconds = new Histogram({
		name: 'reprieve_request_seconds',
		help: 'Time to the answer',
		labelNames: ['surface'],
		buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
		registers,
	})
	const refused = new Counter({ name: 'reprieve_unauthenticated_total', help: 'Calls without a valid key', registers })
	const readStatus = statusGauges(registers, services.limits.slotBytes)
	return {
		contentType: registry.contentType,
		answered(method, path, status, elapsed) {
			const surface = surfaceOf(path)
			requests.inc({ surface, method, status: String(status) })
			seconds.observe({ surface }, elapsed)
		},
		refused: (status) => requests.inc({ surface: 'other', method: 'none', status: String(status) }),
		unauthenticated: () => refused.inc(),
		async expose() {
			readStatus(await systemStatus(services))
			return registry.metrics()
		},
	}
}

function statusGauges(registers: Registry[], slotBytes: number) {
	const gauge = (name: string, help: string) => new Gauge({ name: `reprieve_${name}`, help, registers })
	const streaming = gauge('capture_streaming', '1 while capture streams')
	const slotLag = gauge('slot_lag_bytes', 'Log that the slot holds back')
	gauge('slot_limit_bytes', 'Log that the slot may hold back before runs are refused').set(slotBytes)
	const archiveLag = gauge('archive_lag_seconds', 'From commit to vault, newest transaction')
	const exposure = gauge('exposure_rows', 'Rows deleted by runs that no receipt covers')
	const incidents = gauge('open_incidents', 'Incidents not resolved')
	return (status: Awaited<ReturnType<typeof systemStatus>>) => {
		streaming.set(status.capture.state === 'streaming' ? 1 : 0)
		slotLag.set(status.capture.lagBytes)
		archiveLag.set(status.archive.lagMs / 1000)
		exposure.set(status.archive.exposure)
		incidents.set(status.incidents.length)
	}
}

/** One of a few words: a path as label would let any caller grow the registry without end. */
function surfaceOf(path: string): string {
	return /^\/(trpc|api\/v1|api\/cleanup|healthz|readyz|metrics)(\/|$)/.exec(path)?.[1] ?? 'other'
}
