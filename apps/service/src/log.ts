import { type DestinationStream, destination, type Logger, pino } from 'pino'
import type { Config } from './config.ts'

/** The service's log: lines of JSON on the standard output; what is left is written when the process ends. */
export function openLog({ logLevel }: Pick<Config, 'logLevel'>): Logger {
	return pino({ level: logLevel, redact: ['*.secret', '*.authorization'] }, openLines())
}

/** Lines of one turn of the event loop share a write: pino's own buffer would be measured anew with each of them. */
function openLines(): DestinationStream {
	const out = destination({ sync: false })
	let lines = ''
	const take = () => {
		const taken = lines
		lines = ''
		return taken
	}
	process.once('exit', () => {
		if (lines !== '') destination({ sync: true }).write(take())
	})
	return {
		write(line) {
			if (lines === '') setImmediate(() => out.write(take()))
			lines += line
		},
	}
}
