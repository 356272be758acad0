import { lineages } from '@reprieve/control'
import { readIdentity } from '@reprieve/postgres'
import type { Channel, VaultLineage } from '@reprieve/vault'
import { isNull } from 'drizzle-orm'
import { CaptureStopped, lineageRemedy } from '../incident.ts'
import { drainedMark } from '../kafka/sources.ts'
import { type History, judgeHistory } from '../lineage/judge.ts'
import type { SessionOptions } from '../session.ts'

/** The epoch whose frames are archived. */
export type Epoch = { lineage: VaultLineage; epoch: number; prefix: string; partitions: number }

type Ground = Pick<SessionOptions, 'sql' | 'control' | 'vault'>

/**
 * The epoch of the open lineage, where frames are its channel and not all of them are in the vault yet; undefined when
 * there is nothing to read until capture opens one. Throws CaptureStopped for a database of another history.
 */
export async function findEpoch(ground: Ground): Promise<Epoch | undefined> {
	const history = await readHistory(ground)
	if (history.kind !== 'one') return undefined
	const { lineage } = history
	const epoch = epochOf(lineage)
	if (!epoch) return undefined
	const { transactions } = ground.vault
	const isOver = (await transactions.archived(drainedMark(lineage.id, epoch.epoch))) !== undefined
	const isOpen = (await transactions.archived(lineage.id)) !== undefined
	return isOver || !isOpen ? undefined : epoch
}

/** Whether the epoch is still the one to read. */
export async function isCurrent({ vault }: Pick<Ground, 'vault'>, known: Epoch): Promise<boolean> {
	const open = (await vault.lineages()).findLast((lineage) => lineage.closedAt === undefined)
	if (open?.id !== known.lineage.id || epochOf(open)?.epoch !== known.epoch) return false
	return (await vault.transactions.archived(drainedMark(open.id, known.epoch))) === undefined
}

function epochOf(lineage: VaultLineage): Epoch | undefined {
	const channel: Channel | undefined = lineage.channel
	if (channel?.kind !== 'frames' || channel.prefix === undefined) return undefined
	return { lineage, epoch: channel.epoch, prefix: channel.prefix, partitions: channel.partitions ?? 1 }
}

/** What speaks against the database is believed only when its nonce stood still meanwhile: capture may be acknowledging. */
async function readHistory(ground: Ground, before?: { nonce: string | null }): Promise<History> {
	const { sql, control, vault } = ground
	const identity = await readIdentity(sql)
	const open = (await vault.lineages()).findLast((lineage) => lineage.closedAt === undefined)
	const [row] = await control.db.select().from(lineages).where(isNull(lineages.closedAt))
	const history = judgeHistory({ identity, control: row, vault: open })
	if (history.kind !== 'stop') return history
	const nonce = row?.nonce ?? null
	if (before?.nonce !== nonce) return await readHistory(ground, { nonce })
	const { code, message } = history
	throw new CaptureStopped('CAPTURE_GAP', { code, message, remedy: lineageRemedy(code) })
}
