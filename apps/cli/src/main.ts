import { confirm } from '@clack/prompts'
import { run } from './run.ts'

process.exitCode = await run(process.argv.slice(2), {
	out: (line) => process.stdout.write(`${line}\n`),
	err: (text) => process.stderr.write(text),
	isTerminal: Boolean(process.stderr.isTTY && process.stdin.isTTY),
	env: process.env,
	confirm: async (question) => (await confirm({ message: question, initialValue: false })) === true,
})
