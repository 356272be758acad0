import { archiveLife, liveOn } from './capture.ts'
import { Loop } from './loop.ts'
import { lineageId } from './transaction.ts'

/** Capture straight into the vault. */
export function openEmbedded(seed: number): Loop {
	return new Loop(seed, (ground) => ({
		programs: [
			{
				...{ name: 'capture', many: 2 },
				live(process, stopping) {
					const parts = { ...ground, process, vault: ground.vaultOf(process) }
					return liveOn(parts, () => archiveLife(parts, stopping), stopping)
				},
			},
		],
		async covers(vault, table) {
			const archived = (await vault.table({ schema: 'public', name: table }).archived(lineageId)) ?? -1n
			return ({ position }) => position <= archived
		},
	}))
}
