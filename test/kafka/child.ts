import { openKafka, parseConfig, startFramesArchive } from '@reprieve/sidecar'
import { openVaultAt, type Vault, type VaultTable } from '@reprieve/vault'
import { pino } from 'pino'

/** An archiver in a process of its own, so that it can be killed and frozen: `node child.ts <options as JSON>`. */
const { databaseUrl, vaultUrl, database, kafka, isHeld, ...sidecar } = JSON.parse(process.argv[2] ?? '{}')
const settings = { ...kafka, frameKey: Buffer.from(kafka.frameKey, 'base64') }
const vault = openVaultAt(vaultUrl, database)
const archive = startFramesArchive(
	{ sidecar: parseConfig({ databaseUrl, upkeepMs: 0, ...sidecar }), kafka: settings, lookMs: 100 },
	{
		vault: isHeld ? held(vault) : vault,
		log: pino({ level: 'warn' }),
		openKafka: (config) => openKafka(config, pino({ level: 'silent' })),
		onState: (state) => process.stdout.write(`${state}\n`),
	},
)
process.once('SIGTERM', () => void archive.stop())
await archive.ended
process.exit(0)

/** Says that a commit is due, and makes it once a line has come. */
function held(real: Vault): Vault {
	const released = new Promise((resolve) => process.stdin.once('data', resolve))
	const commit =
		(table: VaultTable): VaultTable['commit'] =>
		async (entry) => {
			process.stdout.write('committing\n')
			await released
			return await table.commit(entry)
		}
	return {
		...real,
		table(name) {
			const table = real.table(name)
			return { ...table, name, commit: commit(table) }
		},
	}
}
