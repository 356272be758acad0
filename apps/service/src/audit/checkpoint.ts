import { signMessage, verifyMessage } from '@reprieve/cdc'
import { audit } from '@reprieve/control'
import { desc } from 'drizzle-orm'
import type { Services } from '../context.ts'

const act = 'auditCheckpoint'
/** Signed with the body, so that nothing else that this key signs is read as a checkpoint. */
const prefix = 'reprieve.audit'

/** Entries between two checkpoints of a service that goes on. */
const everyEntries = 1_000n

type Checkpoint = { seq: string; hash: string }

/** Signs where the chain of audit entries stands into the vault, out of reach of who can write to the database. */
export function openCheckpoints(services: Services): { write(least?: bigint): Promise<void> } {
	let written = 0n
	return {
		/** Skipped when fewer than `least` entries (default 1,000) came since the one before. */
		async write(least = everyEntries) {
			const { db } = services.control
			const [head] = await db.select({ seq: audit.seq, hash: audit.hash }).from(audit).orderBy(desc(audit.seq)).limit(1)
			if (!head || head.seq - written < least) return
			const checkpoint: Checkpoint = { seq: String(head.seq), hash: head.hash }
			await services.vault.putAudit({ act, signed: signMessage(services.signer, prefix, checkpoint) })
			written = head.seq
		},
	}
}

/** Hash of each entry that a checkpoint names, by its number. What no key of the vault has signed is left out. */
export async function readCheckpoints({ vault }: Services): Promise<Map<bigint, string>> {
	const keys = new Map((await vault.keys()).map((key) => [key.id, key.publicKey]))
	const found = new Map<bigint, string>()
	for await (const entry of vault.audit()) {
		if (entry.act !== act || typeof entry.signed !== 'string') continue
		const message = verifyMessage<Checkpoint>(keys, prefix, Buffer.from(entry.signed))
		if (message.verified) found.set(BigInt(message.value.seq), message.value.hash)
	}
	return found
}
