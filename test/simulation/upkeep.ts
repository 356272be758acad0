import type { Vault } from '@reprieve/vault'
import { isTransient } from './capture.ts'
import type { World } from './world.ts'

/** What a round does to one archive. */
export const duties = ['compact', 'compact', 'checkpoint', 'sweep'] as const
type Duty = (typeof duties)[number]

export type Upkeep = {
	world: World
	vault: Vault
	/** The same for every archive; else the seed chooses for each. */
	duty?: Duty
	/** Milliseconds that what is not needed any more stays. */
	retentionMs: number
}

/** One round of what upkeep does to the vault's archives. */
export async function keepVault({ world, vault, duty, retentionMs }: Upkeep): Promise<void> {
	const { random } = world
	try {
		const tables = await vault.tables()
		for (const archive of [vault.transactions, ...tables.map((name) => vault.table(name))]) {
			const act = duty ?? random.pick(duties)
			if (act === 'compact') await archive.compact({ minSegments: 2 })
			else if (act === 'checkpoint') await archive.checkpoint({ every: 1 + random.below(3) })
			else {
				// Without a checkpoint a sweep finds no log entry that may go.
				await archive.checkpoint({ every: 1 })
				await archive.sweep({ retentionMs })
			}
		}
	} catch (error) {
		if (!isTransient(error)) world.fail(error)
	}
}
