import { type Finished, finishProtecting } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { Services } from '../context.ts'

/** Brings pending tables to ready, waiting at most `waitMs`; upkeep goes on with what is left. */
export async function finish(services: Services, waitMs: number): Promise<Finished> {
	return await finishProtecting(services.pools.owner, {
		waitMs,
		readCanary: (nonce) => readCanary(services.vault, nonce),
	})
}

/** Whether the vault hands back the deleted canary with its whole image. */
async function readCanary(vault: Vault, nonce: string): Promise<boolean> {
	for await (const rows of vault.table({ schema: 'reprieve', name: 'canary' }).read({ keys: [{ nonce }] })) {
		const note = rows.columns[rows.table.columns.findIndex((column) => column.name === 'note')]
		const text = note && Buffer.from(note.bytes.subarray(note.offsets[0], note.offsets[1])).toString()
		if (rows.count > 0 && text === 'proof') return true
	}
	return false
}
