import { exitCode, ReprieveError } from '@reprieve/contracts'
import { runCommand } from './commands/run.ts'

try {
	await runCommand(process.argv.slice(2), process.env)
} catch (error) {
	const known = error instanceof ReprieveError ? error : undefined
	process.stderr.write(`${known?.code ?? 'INTERNAL'}: ${(error as Error).message}\n`)
	if (known?.hint) process.stderr.write(`${known.hint}\n`)
	process.exit(exitCode(known?.code ?? 'INTERNAL'))
}
