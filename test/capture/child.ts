import { parseConfig, startSidecar } from '@reprieve/sidecar'
import { openVaultAt } from '@reprieve/vault'
import { pino } from 'pino'

/** A capture in a process of its own, so that it can be killed: `node child.ts <config as JSON>`. */
const { databaseUrl, vaultUrl, database, ...rest } = JSON.parse(process.argv[2] ?? '{}')
const sidecar = startSidecar(parseConfig({ databaseUrl, upkeepMs: 0, protectMs: 0, leaseMs: 1_000, ...rest }), {
	vault: openVaultAt(vaultUrl, database),
	log: pino({ level: 'silent' }),
	onState: (state) => process.stdout.write(`${state}\n`),
})
await sidecar.ended
