import { exitCode, ReprieveError } from '@reprieve/contracts'
import { destination, pino } from 'pino'
import { runCommand } from './commands/run.ts'

// What nobody handles ends the process; the log says so at once, before Node does in its own way.
process.on('uncaughtExceptionMonitor', (err, origin) => {
	const log = pino({ name: 'sidecar' }, destination({ sync: true }))
	log.fatal({ err, origin }, 'the sidecar ends by an error that nobody handled')
})

try {
	await runCommand(process.argv.slice(2), process.env)
} catch (error) {
	const known = error instanceof ReprieveError ? error : undefined
	process.stderr.write(`${known?.code ?? 'INTERNAL'}: ${(error as Error).message}\n`)
	if (known?.hint) process.stderr.write(`${known.hint}\n`)
	process.exit(exitCode(known?.code ?? 'INTERNAL'))
}
