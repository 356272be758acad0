import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { benchCapture } from './capture.ts'
import type { Outcome } from './contest.ts'
import { benchDeletes } from './deletes.ts'
import { benchDurable } from './durable.ts'
import { benchRestore } from './restore.ts'

const contests: Record<string, (rows: number, rounds: number) => Promise<Outcome>> = {
	deletes: benchDeletes,
	capture: benchCapture,
	durable: benchDurable,
	restore: benchRestore,
}

/** `pnpm bench [--rows 100000] [--rounds 5] [--json] [name ...]`: each contest in a process of its own. */
async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			rows: { type: 'string' },
			rounds: { type: 'string' },
			json: { type: 'boolean' },
			child: { type: 'boolean' },
		},
	})
	const rows = Number(values.rows ?? 100_000)
	const rounds = Number(values.rounds ?? 5)
	const names = positionals.length > 0 ? positionals : Object.keys(contests)
	const unknown = names.find((name) => !(name in contests))
	if (unknown) throw new Error(`no contest ${unknown}; there are ${Object.keys(contests).join(', ')}`)
	if (values.child) {
		process.send?.(await contests[names[0] as string]?.(rows, rounds))
		process.disconnect()
		return
	}
	const outcomes: Outcome[] = []
	for (const name of names) {
		const outcome = await inChild(name, rows, rounds)
		outcomes.push(outcome)
		if (!values.json) console.log(describe(outcome))
	}
	if (values.json) console.log(JSON.stringify(outcomes, null, 2))
}

async function inChild(name: string, rows: number, rounds: number): Promise<Outcome> {
	const child = fork(fileURLToPath(import.meta.url), ['--child', '--rows', `${rows}`, '--rounds', `${rounds}`, name])
	const answer = Promise.withResolvers<Outcome>()
	child.on('message', (outcome) => answer.resolve(outcome as Outcome))
	const [code] = await once(child, 'exit')
	if (code !== 0) throw new Error(`${name} ended with ${code}`)
	return await answer.promise
}

function describe(outcome: Outcome): string {
	const { ratio, rowsPerSecond, cpuSeconds } = outcome
	return [
		outcome.contest,
		`  ratio ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}, ${outcome.rounds} rounds)`,
		`  ours      ${Math.round(rowsPerSecond.ours)} rows/s, ${cpuSeconds.ours.toFixed(2)} CPU s   ${outcome.ours}`,
		`  yardstick ${Math.round(rowsPerSecond.yardstick)} rows/s, ${cpuSeconds.yardstick.toFixed(2)} CPU s   ${outcome.yardstick}`,
		`  peak memory of service and sidecar ${outcome.peakMiB.toFixed(0)} MiB`,
	].join('\n')
}

await main()
