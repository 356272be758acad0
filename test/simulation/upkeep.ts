import type { Vault } from '@reprieve/vault'
import { isTransient } from './capture.ts'
import type { World } from './world.ts'

/** Longer than anything that hangs: a segment whose commit is under way is never swept. */
const retentionMs = 120_000

/** One round of what upkeep does to the vault's archives, in an order of the seed's choice. */
export async function keepVault({ world, vault }: { world: World; vault: Vault }): Promise<void> {
	const { random } = world
	try {
		const tables = await vault.tables()
		for (const archive of [vault.transactions, ...tables.map((name) => vault.table(name))]) {
			const act = random.pick(['compact', 'checkpoint', 'sweep'] as const)
			if (act === 'compact') await archive.compact({ minSegments: 2 + random.below(2) })
			else if (act === 'checkpoint') await archive.checkpoint({ every: 1 + random.below(3) })
			else await archive.sweep({ retentionMs })
		}
	} catch (error) {
		if (!isTransient(error)) world.fail(error)
	}
}
