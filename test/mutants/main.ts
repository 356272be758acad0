import { parseArgs } from 'node:util'
import { copyTree } from './copy.ts'
import type { Mutant } from './mutant.ts'
import { mutants } from './mutants.ts'
import { type Result, showList, showTable } from './report.ts'
import { type Outcome, runTests } from './tests.ts'

/**
 * `pnpm mutants [--list] [--json] [--workers 2] [name, rule or file ...]`: takes each guard out in turn and tells which test noticed. The
 * tests are run with every guard in place first: one that fails anyway proves nothing.
 */
async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: { list: { type: 'boolean' }, json: { type: 'boolean' }, workers: { type: 'string', default: '2' } },
	})
	const chosen = choose(positionals)
	if (values.list) return console.log(values.json ? JSON.stringify(chosen, null, '\t') : showList(chosen))
	const failing = await runWhole(chosen)
	if (failing.length > 0) throw new Error(`with every guard in place these fail: ${failing.join('; ')}`)
	const results = await runAll(chosen, Number(values.workers))
	console.log(values.json ? JSON.stringify(results, null, '\t') : showTable(results))
	if (results.some(({ verdict }) => verdict !== 'caught')) process.exitCode = 1
}

/** By name, rule or the beginning of the file's path. */
function choose(words: string[]): readonly Mutant[] {
	const isMeant = ({ name, rule, file }: Mutant, word: string) => [name, rule].includes(word) || file.startsWith(word)
	const unknown = words.filter((word) => !mutants.some((mutant) => isMeant(mutant, word)))
	if (unknown.length > 0) throw new Error(`no mutant has the name, rule or file ${unknown.join(', ')}; see --list`)
	return words.length === 0 ? mutants : mutants.filter((mutant) => words.some((word) => isMeant(mutant, word)))
}

async function runWhole(chosen: readonly Mutant[]): Promise<string[]> {
	const tests: Mutant['tests'] = {}
	for (const mutant of chosen) {
		for (const [file, names] of Object.entries(mutant.tests))
			tests[file] = [...new Set([...(tests[file] ?? []), ...names])]
	}
	console.error(`${Object.values(tests).flat().length} tests with every guard in place`)
	await using copy = await copyTree()
	return (await runTests(copy.folder, tests)).failed
}

async function runAll(chosen: readonly Mutant[], workers: number): Promise<Result[]> {
	const queue = [...chosen]
	const results: Result[] = []
	const work = async () => {
		await using copy = await copyTree()
		for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
			const began = performance.now()
			await using _guard = await copy.mutate(mutant)
			const outcome = await runTests(copy.folder, mutant.tests).catch((error: Error) => error)
			const result = { mutant, seconds: (performance.now() - began) / 1_000, ...judge(outcome) }
			results.push(result)
			console.error(`${result.verdict} in ${result.seconds.toFixed(1)} s: ${mutant.name}`)
		}
	}
	await Promise.all(Array.from({ length: workers }, work))
	return results.sort((a, b) => chosen.indexOf(a.mutant) - chosen.indexOf(b.mutant))
}

function judge(outcome: Outcome | Error): Pick<Result, 'verdict' | 'by'> {
	if (outcome instanceof Error) return { verdict: 'broken', by: [outcome.message] }
	return { verdict: outcome.failed.length > 0 ? 'caught' : 'survived', by: outcome.failed }
}

await main()
