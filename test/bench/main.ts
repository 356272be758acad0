import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { benches } from './benches.ts'
import { type BenchOptions, inChild } from './child.ts'
import { growthOf } from './growth.ts'
import type { Report } from './report.ts'
import { type Told, tableOf } from './table.ts'

const program = import.meta.filename

const usage = `pnpm bench [--rows 100000] [--seconds 60] [--rounds 7] [--growth 10000,100000] [--json FILE] [name ...]

Each in a process of its own, then one table of them all; --growth runs each at several sizes. Without names, all but the loads.
${Object.keys(benches).join(', ')}`

async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			help: { type: 'boolean' },
			rows: { type: 'string' },
			seconds: { type: 'string' },
			rounds: { type: 'string' },
			growth: { type: 'string' },
			json: { type: 'string' },
			child: { type: 'boolean' },
		},
	})
	if (values.help) return console.log(usage)
	const options = {
		...(values.rows && { rows: Number(values.rows) }),
		...(values.seconds && { seconds: Number(values.seconds) }),
		rounds: Number(values.rounds ?? 7),
	}
	const names = positionals.length > 0 ? positionals : Object.keys(benches).filter((name) => !name.startsWith('load'))
	const unknown = names.find((name) => !(name in benches))
	if (unknown) throw new Error(`no benchmark ${unknown}; there are ${Object.keys(benches).join(', ')}`)
	if (values.child) {
		process.send?.(await benches[names[0] as string]?.(options))
		process.disconnect()
		return
	}
	const told: Told[] = []
	for (const name of names) {
		const report = await runOne(name, options, values.growth)
		console.log(report.text)
		told.push({ command: commandOf(name, options, values.growth), report })
	}
	console.log(`\n${tableOf(told)}`)
	const data = told.map(({ command, report }) => ({ command, ...(report.data as object) }))
	if (values.json) await writeFile(values.json, `${JSON.stringify(data, null, '\t')}\n`)
}

async function runOne(name: string, options: BenchOptions, growth: string | undefined): Promise<Report> {
	if (growth === undefined) return await inChild<Report>(program, name, options)
	return await growthOf(program, name, { ...options, sizes: growth.split(',').map(Number) })
}

function commandOf(name: string, options: BenchOptions, growth: string | undefined): string {
	const all = { ...options, ...(growth && { growth }) }
	const given = Object.entries(all).map(([option, value]) => `--${option} ${value}`)
	return ['pnpm bench', ...given, name].join(' ')
}

await main()
