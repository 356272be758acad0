import { transactionsTopic } from '@reprieve/cdc'
import { FramesReading } from '@reprieve/sidecar/steps'
import type { Vault, VaultLineage } from '@reprieve/vault'
import type { Broker } from './broker.ts'
import { config, type Stopping, silent } from './capture.ts'
import type { ControlRecord } from './control.ts'
import { channel, frameKey } from './sending.ts'
import { lineageId } from './transaction.ts'
import type { Process, World } from './world.ts'

/** Milliseconds of simulated time. */
const patience = { lookMs: 4_000, watchMs: 60_000, patienceMs: 8_000 }

type ArchivingParts = { world: World; process: Process; broker: Broker; control: ControlRecord; vault: Vault }

/** One life of an archiver of frames, put together as its session does it. */
export async function archiveFrames(parts: ArchivingParts, stopping: Stopping): Promise<void> {
	const { world, process, broker, control, vault } = parts
	const [clock, brokers] = [world.clockOf(process), broker.portFor(process)]
	const lineage = (await vault.lineages()).find(({ id }) => id === lineageId) as VaultLineage
	let topics = await brokers.topics(channel.prefix)
	while (!topics.has(transactionsTopic(channel.prefix))) {
		await new Promise<void>((resolve) => clock.after(patience.lookMs, resolve))
		topics = await brokers.topics(channel.prefix)
	}
	const { promise: failed, reject: fail } = Promise.withResolvers<never>()
	failed.catch(() => {})
	const reading = new FramesReading(
		{ ...patience, config, vault, brokers, records: control.recordsFor(process), clock, log: silent, frameKey },
		{ epoch: { lineage, ...channel }, topics, closed: new Set(), fail, end: () => {} },
	)
	try {
		await reading.start()
		await Promise.race([failed, stopping])
	} finally {
		await reading.stop()
	}
}
