import { exitCode, ReprieveError } from '@reprieve/contracts'
import { type Config, readConfig } from './config.ts'
import { consents, consentsToAdopt } from './consent.ts'
import { readChanges } from './own-database.ts'
import { type Standalone, startStandalone } from './start.ts'

const refusedExit = 64

const help = `pnpm start [--yes] [--adopt] [--acknowledge-publication NAME]

Without DATABASE_URL: an embedded PostgreSQL with a sample shop, in the folder .reprieve (REPRIEVE_DATA).
With DATABASE_URL: your own database; what would be added is shown before anything is, --yes goes on unasked.
--adopt leaves a lineage that capture cannot continue, records the gap and opens a new one; then everything starts.`

function say(line: string): void {
	process.stdout.write(`${line}\n`)
}

async function main(args: string[]): Promise<number> {
	if (args.includes('--help')) {
		say(help)
		return 0
	}
	const config = readConfig(process.env, args)
	if (!(await mayChange(config))) return refusedExit
	const standalone = await startStandalone(config, say)
	const { welcome } = await import('./welcome.ts')
	for (const line of welcome(standalone, process.stdout.isTTY)) say(line)
	await Promise.race([untilAsked(), untilBroken(standalone)])
	say('stopping')
	await standalone.stop()
	return 0
}

async function mayChange(config: Config): Promise<boolean> {
	if (config.adopt && !(await consentsToAdopt(config.yes, say))) return false
	if (!config.databaseUrl) return true
	return consents(await readChanges(config.databaseUrl, config.acknowledged), config.yes, say)
}

function untilAsked(): Promise<void> {
	return new Promise((resolve) => {
		for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
	})
}

/** A stopped capture keeps the service up: its status says why and what to do. An ended PostgreSQL ends everything. */
async function untilBroken(standalone: Standalone): Promise<void> {
	standalone.captureEnded.catch(async (error: Error) => {
		const { captureStopped } = await import('./welcome.ts')
		for (const line of captureStopped(error)) say(line)
	})
	if (!standalone.embedded) return new Promise(() => {})
	await standalone.embedded.ended
	throw new ReprieveError('UNAVAILABLE', 'the embedded PostgreSQL has ended; its log is postgres.log beside its data')
}

try {
	process.exitCode = await main(process.argv.slice(2))
} catch (error) {
	const known = error instanceof ReprieveError ? error : undefined
	process.stderr.write(`${known ? `${known.code}: ` : ''}${(error as Error).message}\n`)
	if (known?.hint) process.stderr.write(`${known.hint}\n`)
	process.exitCode = known ? exitCode(known.code) : exitCode('INTERNAL')
	process.exit()
}
