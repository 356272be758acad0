import { exitCode, ReprieveError } from '@reprieve/contracts'
import { CommanderError } from 'commander'
import type { Io } from './io.ts'
import { createProgram } from './program.ts'

/** Runs one command line (without the program's name) and answers its exit code. */
export async function run(args: string[], io: Io): Promise<number> {
	const json = args.includes('--json')
	try {
		await createProgram(io, { showUsage: !json }).parseAsync(args, { from: 'user' })
		return 0
	} catch (error) {
		if (!(error instanceof CommanderError)) return refuse(error, json, io)
		if (error.exitCode === 0) return 0
		if (!json) return exitCode('INVALID')
		return refuse(new ReprieveError('INVALID', error.message.replace(/^error: /, '')), json, io)
	}
}

function refuse(error: unknown, json: boolean, io: Io): number {
	const known =
		error instanceof ReprieveError ? error : new ReprieveError('INTERNAL', (error as Error).message, { cause: error })
	const { code, message, hint, retryable, issues, planId } = known
	if (json) io.err(`${JSON.stringify({ code, message, hint, retryable, issues, planId })}\n`)
	else {
		io.err(`${code}: ${message}\n`)
		for (const issue of issues ?? []) io.err(`  ${issue.path}: ${issue.message}\n`)
		if (hint) io.err(`${hint}\n`)
		if (planId) io.err(`reprieve plans ${planId}\n`)
	}
	return exitCode(code)
}
