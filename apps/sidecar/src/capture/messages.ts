import { messagePrefix, type Overwritten, type Seal, type Tag } from '@reprieve/contracts'
import type { Logger } from 'pino'
import type { KeyRing } from './keys.ts'
import type { OpenTransaction } from './transaction.ts'

/** Any role may emit messages: what they may cost us is bounded. */
const maxBarriers = 100
const maxTextLength = 1_000
const maxTruncateTags = 100_000

export type MessageContext = {
	lineage: string
	keys: KeyRing
	log: Logger
	overwritten: (images: Overwritten) => Promise<void>
}

/**
 * Takes one transactional message of a `reprieve.` prefix into its transaction. What is not signed by a known key, or
 * is signed for another lineage or transaction, is logged and has no effect.
 */
export function takeMessage(
	transaction: OpenTransaction,
	message: { prefix: string; content: Uint8Array },
	context: MessageContext,
): Promise<void> | undefined {
	const { prefix, content } = message
	transaction.isUrgent = true
	if (prefix === messagePrefix.barrier) takeBarrier(transaction, content)
	else if (prefix === messagePrefix.truncate) takeTruncate(transaction, content)
	else if (prefix === messagePrefix.claim) takeClaim(transaction, content)
	else if (prefix === messagePrefix.tag || prefix === messagePrefix.seal || prefix === messagePrefix.overwrite) {
		return takeSigned(transaction, { prefix, content: Buffer.from(content) }, context)
	}
	return undefined
}

async function takeSigned(
	transaction: OpenTransaction,
	{ prefix, content }: { prefix: string; content: Uint8Array },
	{ lineage, keys, log, overwritten }: MessageContext,
): Promise<void> {
	const message = await keys.verify<Tag | Seal | Overwritten>(prefix, content, transaction.committedAt)
	const why = message.verified ? strangeness(message.value, lineage, transaction.xid) : message.why
	if (!message.verified || why) {
		log.warn({ prefix, xid: transaction.xid, why }, 'ignored a message')
	} else if (prefix === messagePrefix.tag) transaction.tag ??= message.value as Tag
	else if (prefix === messagePrefix.seal) transaction.seal ??= message.value as Seal
	else await overwritten(message.value as Overwritten)
}

/** A message that was signed for something else and copied here. */
function strangeness(value: { lineage: string; xid: string }, lineage: string, xid: number): string | undefined {
	if (value.lineage !== lineage) return `it is of lineage ${value.lineage}, this is ${lineage}`
	const low = /^\d{1,20}$/.test(String(value.xid)) ? Number(BigInt(value.xid) & 0xffff_ffffn) : undefined
	return low === xid ? undefined : `it is of transaction ${value.xid}, this is ${xid}`
}

function takeBarrier(transaction: OpenTransaction, content: Uint8Array): void {
	const nonce = textOf(content)
	if (nonce && transaction.barriers.length < maxBarriers) transaction.barriers.push(nonce)
}

function takeTruncate(transaction: OpenTransaction, content: Uint8Array): void {
	const oid = Number(textOf(content))
	if (Number.isInteger(oid) && transaction.truncateTags.size < maxTruncateTags) transaction.truncateTags.add(oid)
}

function takeClaim(transaction: OpenTransaction, content: Uint8Array): void {
	try {
		const { actor, reason } = JSON.parse(Buffer.from(content).toString('utf8')) as Record<string, unknown>
		if (typeof actor !== 'string' || typeof reason !== 'string') return
		transaction.claim ??= { actor: actor.slice(0, maxTextLength), reason: reason.slice(0, maxTextLength) }
	} catch {
		return
	}
}

function textOf(content: Uint8Array): string | undefined {
	return content.length > 0 && content.length <= maxTextLength ? Buffer.from(content).toString('utf8') : undefined
}
