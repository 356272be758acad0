import { exitCode, ReprieveError } from '@reprieve/contracts'
import { destination, pino } from 'pino'
import { maskConfig, readConfig } from './config.ts'
import { startService } from './start.ts'

async function main(): Promise<void> {
	const config = readConfig(process.env)
	const service = await startService(config)
	service.services.log.info({ config: maskConfig(config), url: service.url }, 'service started')
	await new Promise<void>((resolve) => {
		for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
	})
	await service.stop()
}

// What nobody handles ends the process; the log says so at once, before Node does in its own way.
process.on('uncaughtExceptionMonitor', (err, origin) => {
	pino(destination({ sync: true })).fatal({ err, origin }, 'the service ends by an error that nobody handled')
})

main().catch((error: Error) => {
	const known = error instanceof ReprieveError ? error : undefined
	process.stderr.write(`${known ? `${known.code}: ` : ''}${error.message}\n${known?.hint ? `${known.hint}\n` : ''}`)
	process.exit(exitCode(known?.code ?? 'INTERNAL'))
})
