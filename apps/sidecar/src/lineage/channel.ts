import { formatLsn } from '@reprieve/contracts'
import type { Channel, Vault } from '@reprieve/vault'
import { adoptRemedy, CaptureStopped } from '../incident.ts'
import { drainedMark } from '../kafka/sources.ts'
import type { OpenLineage } from './open.ts'

/** A channel without its epoch, and where that begins. */
export type WantedChannel = Omit<Channel, 'epoch' | 'from'>

/** What a lineage's changes came through so far; `stream` of epoch 0 where nothing else was said. */
export function channelOf({ lineage }: Pick<OpenLineage, 'lineage'>): Channel {
	return lineage.channel ?? { epoch: 0, kind: 'stream' }
}

/** Whether two channels place and number changes alike. */
export function isSameChannel(channel: WantedChannel, other: WantedChannel): boolean {
	return (
		channel.kind === other.kind &&
		channel.prefix === other.prefix &&
		(channel.partitions ?? 1) === (other.partitions ?? 1)
	)
}

/** Whether everything that came through a channel is in the vault, receipts included. Only frames can be on their way. */
export async function isDrained(vault: Vault, lineage: string, channel: Channel): Promise<boolean> {
	if (channel.kind !== 'frames') return true
	return (await vault.transactions.archived(drainedMark(lineage, channel.epoch))) !== undefined
}

/**
 * Enters a channel under the lineage's lease; another one than before begins a new epoch. Throws CaptureStopped while
 * frames of the old one are on their way: archived beside the new channel's they would be there twice.
 */
export async function enterChannel(
	{ vault }: { vault: Vault },
	opened: OpenLineage,
	wanted: WantedChannel,
): Promise<Channel> {
	const channel = channelOf(opened)
	const isOver = await isDrained(vault, opened.lineage.id, channel)
	if (isSameChannel(channel, wanted) && !(isOver && channel.kind === 'frames')) return channel
	if (!isOver) throw notDrained(channel)
	if (opened.branch.ended.length > 0 && wanted.kind !== 'stream') throw promotedBefore(wanted)
	const next = { ...wanted, epoch: channel.epoch + 1, from: formatLsn(opened.archived) }
	opened.lineage = await vault.putLineage({ ...opened.lineage, channel: next })
	return next
}

/** Frames and events name positions of one timeline. */
function promotedBefore({ prefix }: WantedChannel): CaptureStopped {
	return new CaptureStopped('CONFLICT', {
		code: 'TIMELINE_CHANGED',
		message: `changes cannot come through the topics of ${prefix}: this lineage has followed a promotion`,
		remedy: adoptRemedy,
	})
}

function notDrained({ prefix }: Channel): CaptureStopped {
	return new CaptureStopped('CONFLICT', {
		code: 'CHANNEL_NOT_DRAINED',
		message: `changes that capture sent to the topics of ${prefix} may not be in the vault yet`,
		remedy:
			'Start `sidecar archive` with the same Kafka settings, run `sidecar drain` until it ends, resolve this incident, start again.',
	})
}
