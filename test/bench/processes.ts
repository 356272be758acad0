import { readFileSync } from 'node:fs'

/** Kernel ticks in a second of CPU time, as Linux counts them for everybody. */
const ticks = 100

/** Processes by name. */
export type Processes = Readonly<Record<string, number>>

/** What a process used so far: CPU seconds in user and system mode, and the most memory that it ever held (MiB). */
export type Usage = { cpuSeconds: number; peakMiB: number }

/** Reads `/proc`; a process that has ended used nothing. */
function usageOf(pid: number): Usage {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
		const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
		return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticks, peakMiB: Number(peak?.[1] ?? 0) / 1024 }
	} catch {
		return { cpuSeconds: 0, peakMiB: 0 }
	}
}

/** What each process used; with `before`, since then. */
export function usageOfAll(processes: Processes, before: Record<string, Usage> = {}): Record<string, Usage> {
	return Object.fromEntries(
		Object.entries(processes).map(([name, pid]) => {
			const { cpuSeconds, peakMiB } = usageOf(pid)
			return [name, { cpuSeconds: cpuSeconds - (before[name]?.cpuSeconds ?? 0), peakMiB }]
		}),
	)
}

/** Memory that each process holds now. */
export function residentMiB(processes: Processes): Record<string, number> {
	return Object.fromEntries(
		Object.entries(processes).map(([name, pid]) => {
			const status = readFileSync(`/proc/${pid}/status`, 'utf8')
			return [name, Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024]
		}),
	)
}
