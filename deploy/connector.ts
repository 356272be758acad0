/** Gives Kafka Connect the connector that `reprieve debezium config` prints; one that is there is brought up to date. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const { DATABASE_URL_FILE, REPRIEVE_API_KEY_FILE, REPRIEVE_CONNECT_URL, CONNECT_PASSWORD_FILE } = process.env as Record<
	string,
	string
>
const database = new URL(readFileSync(DATABASE_URL_FILE as string, 'utf8').trim())
const user = decodeURIComponent(database.username)
database.password = ''

const cli = join(import.meta.dirname, '../apps/cli/src/main.ts')
const given = [
	...['--key-file', REPRIEVE_API_KEY_FILE as string, '--database', database.href, '--user', user],
	...['--password-file', CONNECT_PASSWORD_FILE as string],
]
const printed = execFileSync(process.execPath, [cli, 'debezium', 'config', ...given], { encoding: 'utf8' })
const { name, config } = JSON.parse(printed) as { name: string; config: Record<string, string> }

const answer = await fetch(`${REPRIEVE_CONNECT_URL}/connectors/${encodeURIComponent(name)}/config`, {
	method: 'PUT',
	headers: { 'content-type': 'application/json' },
	body: JSON.stringify(config),
})
console.log(`connector ${name}: ${answer.status}`)
if (!answer.ok) throw new Error(await answer.text())
