import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@reprieve/client'
import postgres from 'postgres'
import { type Config, readConfig } from './config.ts'
import { type Teller, tellTo } from './demo/claims.ts'
import { playStory } from './demo/story.ts'
import { startStandalone } from './start.ts'

/** Plays the story in a folder of its own and removes it; left in place when a claim does not hold. Ends with 0 only if all were checked and held. */
async function demo(): Promise<void> {
	const teller = tellTo((line) => process.stdout.write(`${line}\n`))
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-demo-'))
	await chmod(folder, 0o755)
	const config = readConfig({ REPRIEVE_DATA: join(folder, 'data'), REPRIEVE_PORT: '0', REPRIEVE_LOG_LEVEL: 'warn' }, [])
	try {
		await play(config, teller)
	} catch (error) {
		teller.say(`the log and all data are left in ${config.data}`)
		throw error
	}
	await rm(folder, { recursive: true, force: true })
}

async function play(config: Config, teller: Teller): Promise<void> {
	const standalone = await startStandalone(config, teller.say)
	const sql = postgres(standalone.databaseUrl, { max: 1, onnotice: () => {} })
	try {
		await playStory({ client: createClient({ url: standalone.url, apiKey: standalone.adminKey }), sql, teller })
	} finally {
		await sql.end({ timeout: 5 })
		await standalone.stop()
	}
}

await demo().catch((error: Error) => {
	process.stderr.write(`${error.name}: ${error.message}\n`)
	process.exitCode = 1
})
