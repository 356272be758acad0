import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@reprieve/standalone/embedded'
import { openFolder, start } from '../e2e/launcher.ts'
import { until } from '../support/wait.ts'
import { median } from './contest.ts'
import { usageOfAll } from './processes.ts'
import type { Report } from './report.ts'

type Start = { answeredSeconds: number; welcomedSeconds: number; cpuSeconds: number; peakMiB: number }

/** `pnpm start` in an empty folder: seconds to the first answered request, and until the sample is there and protected. */
export async function benchStart(rounds: number): Promise<Report> {
	const starts: Start[] = []
	for (let round = 0; round < rounds; round++) starts.push(await startOnce())
	const spread = (of: (one: Start) => number) => {
		const values = starts.map(of)
		return `${median(values).toFixed(2)} s (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`
	}
	const answered = spread((one) => one.answeredSeconds)
	const welcomed = spread((one) => one.welcomedSeconds)
	const title = `start: an empty folder, ${rounds} times`
	const row = (what: string, figure: string) => ({ what: `${title}: ${what}`, figure, ours: '', yardstick: '' })
	return {
		text: [
			title,
			`  first answered request after ${answered}`,
			`  sample there and protected after ${welcomed}`,
			`  ${spread((one) => one.cpuSeconds)} of CPU, PostgreSQL included; peak memory of one process ${Math.max(...starts.map((one) => one.peakMiB)).toFixed(0)} MiB`,
		].join('\n'),
		data: { starts },
		rows: [row('to the first answered request', answered), row('to the sample being protected', welcomed)],
	}
}

async function startOnce(): Promise<Start> {
	await using folder = await openFolder()
	const data = join(folder.path, 'data')
	const port = await freePort()
	const began = performance.now()
	const secondsSince = () => (performance.now() - began) / 1000
	await using started = start({ REPRIEVE_DATA: data, REPRIEVE_PORT: String(port) })
	await until(() => answers(port, data), 'an answer', 120_000)
	const answeredSeconds = secondsSince()
	await until(() => started.output().includes('reprieve runs at'), 'the welcome', 120_000)
	const welcomedSeconds = secondsSince()
	const used = usageOfAll({ all: started.child.pid ?? 0 }).all
	return { answeredSeconds, welcomedSeconds, cpuSeconds: used?.cpuSeconds ?? 0, peakMiB: used?.peakMiB ?? 0 }
}

async function answers(port: number, data: string): Promise<boolean> {
	const key = await readFile(join(data, 'admin-key'), 'utf8').catch(() => undefined)
	if (key === undefined) return false
	const asked = fetch(`http://127.0.0.1:${port}/api/v1/system/status`, {
		headers: { authorization: `Bearer ${key.trim()}` },
	})
	return await asked.then(
		({ ok }) => ok,
		() => false,
	)
}
