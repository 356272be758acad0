import { readdirSync, readFileSync } from 'node:fs'

/** Kernel ticks in a second of CPU time, as Linux counts them for everybody. */
const ticks = 100

/** Processes by name. */
export type Processes = Readonly<Record<string, number>>

/**
 * What a process and its children used so far, those that ended included: CPU seconds in user and system mode, and the most
 * memory that one of the living ever held (MiB; of PostgreSQL's, shared buffers included).
 */
export type Usage = { cpuSeconds: number; peakMiB: number }

/** Reads `/proc`; a process that has ended used nothing. */
function usageOf(pid: number, children: ReadonlyMap<number, number[]>): Usage {
	const own = [pid, ...(children.get(pid) ?? [])].map(readUsage)
	return {
		cpuSeconds: own.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
		peakMiB: Math.max(...own.map(({ peakMiB }) => peakMiB)),
	}
}

function readUsage(pid: number): Usage {
	try {
		const fields = readStat(pid)
		const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15).map(Number)
		const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
		return {
			cpuSeconds: (user + system + endedUser + endedSystem) / ticks,
			peakMiB: Number(peak?.[1] ?? 0) / 1024,
		}
	} catch {
		return { cpuSeconds: 0, peakMiB: 0 }
	}
}

function readStat(pid: number): string[] {
	const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
	return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Living children by parent. */
function readChildren(): Map<number, number[]> {
	const children = new Map<number, number[]>()
	for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
		try {
			const parent = Number(readStat(Number(name))[1])
			children.set(parent, [...(children.get(parent) ?? []), Number(name)])
		} catch {
			// It has ended since the folder was read.
		}
	}
	return children
}

/** What each process used; with `before`, since then. */
export function usageOfAll(processes: Processes, before: Record<string, Usage> = {}): Record<string, Usage> {
	const children = readChildren()
	return Object.fromEntries(
		Object.entries(processes).map(([name, pid]) => {
			const { cpuSeconds, peakMiB } = usageOf(pid, children)
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
