import { confirm } from '@clack/prompts'
import { run } from './run.ts'

// Who reads may go away (`| head`): what was asked is done all the same, and its exit code says how it ended.
for (const stream of [process.stdout, process.stderr]) {
	stream.on('error', (error: NodeJS.ErrnoException) => {
		if (error.code !== 'EPIPE') throw error
	})
}

process.exitCode = await run(process.argv.slice(2), {
	out: (line) => process.stdout.write(`${line}\n`),
	err: (text) => process.stderr.write(text),
	isTerminal: Boolean(process.stderr.isTTY && process.stdin.isTTY),
	env: process.env,
	confirm: async (question) => (await confirm({ message: question, initialValue: false })) === true,
})
