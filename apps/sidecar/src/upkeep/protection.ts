import { finishProtecting, keepLeavesProtected } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { UpkeepOptions } from './loop.ts'

/** Milliseconds that a new leaf waits for a lock, and for its proof, before the next round tries again. */
const lockTimeoutMs = 2_000
const proofMs = 5_000

/** A round protects leaves that were attached since, and proves what is pending. */
export function protectionKeeper({ owner, vault, log }: Omit<UpkeepOptions, 'config'>): () => Promise<void> {
	const keepLeaves = keepLeavesProtected(owner, { lockTimeoutMs })
	return async () => {
		const refused = await keepLeaves()
		const { ready } = await finishProtecting(owner, { readCanary: (nonce) => hasCanary(vault, nonce), waitMs: proofMs })
		for (const finding of refused) log.warn({ finding }, 'a new leaf is not protected')
		if (ready.length > 0) log.info({ tables: ready.length }, 'protected')
	}
}

async function hasCanary(vault: Vault, nonce: string): Promise<boolean> {
	const canary = vault.table({ schema: 'reprieve', name: 'canary' })
	for await (const rows of canary.read({ keys: [{ nonce }], limit: 1 })) if (rows.count > 0) return true
	return false
}
