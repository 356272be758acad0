import { userInfo } from 'node:os'
import { exitCode, ReprieveError } from '@reprieve/contracts'
import { openSessions, readIdentity } from '@reprieve/postgres'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { pino } from 'pino'
import { type ProcessConfig, readConfig } from './config.ts'
import { adopt, startSidecar } from './start.ts'

const help = `pnpm --filter @reprieve/sidecar start [adopt]

Follows DATABASE_URL (REPRIEVE_CAPTURE_URL) into REPRIEVE_VAULT; ends with SIGTERM, and by itself when capture stops.
adopt: leaves the lineage that capture cannot continue, records the gap, and opens a new one. Ends then.`

async function main(args: string[]): Promise<void> {
	const [command, ...rest] = args
	if (command === '--help') return say(help)
	if (rest.length > 0 || (command !== undefined && command !== 'adopt')) {
		throw new ReprieveError('INVALID', `"${args.join(' ')}" is no command`, { hint: help })
	}
	const config = readConfig(process.env)
	const vault = openVaultAt(config.vault, await databaseName(config.sidecar.databaseUrl), {
		segmentKeys: config.vaultKey,
	})
	try {
		await (command === 'adopt' ? adoptAndSay(config, vault) : follow(config, vault))
	} finally {
		await vault.close()
	}
}

async function adoptAndSay({ sidecar }: ProcessConfig, vault: Vault): Promise<void> {
	const { lineage, gap } = await adopt(sidecar, { vault, principal: userInfo().username })
	say(`adopted as lineage ${lineage}; not archived: ${gap}`)
}

async function follow({ sidecar, logLevel }: ProcessConfig, vault: Vault): Promise<void> {
	const capture = startSidecar(sidecar, { vault, log: pino({ name: 'sidecar', level: logLevel }) })
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void capture.stop())
	await capture.ended
}

async function databaseName(url: string): Promise<string> {
	const sql = openSessions(url, { applicationName: 'reprieve sidecar', max: 1 })
	try {
		return (await readIdentity(sql)).database
	} catch (error) {
		if (error instanceof ReprieveError) throw error
		throw new ReprieveError('UNAVAILABLE', `the database cannot be reached: ${(error as Error).message}`, {
			cause: error,
		})
	} finally {
		await sql.end({ timeout: 5 })
	}
}

function say(line: string): void {
	process.stdout.write(`${line}\n`)
}

try {
	await main(process.argv.slice(2))
} catch (error) {
	const known = error instanceof ReprieveError ? error : undefined
	process.stderr.write(`${known?.code ?? 'INTERNAL'}: ${(error as Error).message}\n`)
	if (known?.hint) process.stderr.write(`${known.hint}\n`)
	process.exit(exitCode(known?.code ?? 'INTERNAL'))
}
