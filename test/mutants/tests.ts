import { spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Mutant } from './mutant.ts'

/** What the named tests said. */
export type Outcome = { passed: string[]; failed: string[] }

/** Milliseconds that one test may take, with its share of starting servers. */
const patienceMs = 120_000

type Report = {
	testResults: { name: string; message: string; assertionResults: { title: string; status: string }[] }[]
}

/** Runs the named tests of a tree in a process of their own. Throws when one of them is not found or its file does not load. */
export async function runTests(folder: string, tests: Mutant['tests']): Promise<Outcome> {
	const names = Object.values(tests).flat()
	const report = join(folder, 'mutants-report.json')
	await rm(report, { force: true })
	const printed = await vitest(folder, patienceMs * (names.length + 1), [
		...['--reporter=json', `--outputFile=${report}`, '-t', names.map(escaped).join('|')],
		...Object.keys(tests),
	])
	const { testResults } = JSON.parse(await readFile(report, 'utf8').catch(() => missing(printed))) as Report
	const ran = testResults.flatMap((file) => file.assertionResults).filter(({ status }) => status !== 'skipped')
	const unfound = names.filter((name) => !ran.some(({ title }) => title.includes(name)))
	if (unfound.length > 0) {
		const messages = testResults.map(({ message }) => message).join('\n')
		throw new Error(`did not run: ${unfound.join('; ')}\n${messages}\n${printed.slice(-2_000)}`)
	}
	const titles = (wanted: string) => [
		...new Set(ran.filter(({ status }) => status === wanted).map(({ title }) => title)),
	]
	return { passed: titles('passed'), failed: titles('failed') }
}

function missing(printed: string): never {
	throw new Error(`the tests did not end with a report:\n${printed.slice(-2_000)}`)
}

async function vitest(folder: string, withinMs: number, args: string[]): Promise<string> {
	const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...args], {
		cwd: folder,
		stdio: ['ignore', 'pipe', 'pipe'],
	})
	let printed = ''
	for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text))
	const patience = setTimeout(() => child.kill(), withinMs)
	await new Promise((resolve) => child.once('close', resolve))
	clearTimeout(patience)
	return printed
}

function escaped(text: string): string {
	return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
