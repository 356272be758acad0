import { placeRows } from '@reprieve/cdc'
import type { ChangeRows } from '@reprieve/contracts'
import { frameSource } from '@reprieve/sidecar/steps'
import { archiveFrames } from './archiving.ts'
import { Broker } from './broker.ts'
import { liveOn } from './capture.ts'
import { roots } from './catalog.ts'
import { Loop } from './loop.ts'
import { channel, sendLife } from './sending.ts'
import { type ExpectedRow, lineageId } from './transaction.ts'

/** Record sizes: one that no frame outgrows, and one that cuts some into parts. */
const recordBytes = [100_000, 900]

/** Times out of a thousand that records are deleted in a simulation, and how often then. */
const lossy = 250
const losses = 8

/** Capture into Kafka, and archivers that take it from there. */
export function openFrames(seed: number): Loop {
	return new Loop(seed, (ground) => {
		const { world } = ground
		const broker = new Broker(world)
		const maxRecordBytes = world.random.pick(recordBytes)
		const isLossy = world.random.perMille(lossy)
		return {
			channel,
			programs: [
				{
					...{ name: 'capture', many: 2 },
					live(process, stopping) {
						const parts = { ...ground, process, broker, maxRecordBytes, vault: ground.vaultOf(process) }
						return liveOn(parts, () => sendLife(parts, stopping), stopping)
					},
				},
				{
					...{ name: 'archiver', many: 2 },
					live(process, stopping) {
						const parts = { ...ground, process, broker, vault: ground.vaultOf(process) }
						return liveOn(parts, () => archiveFrames(parts, stopping), stopping)
					},
				},
			],
			async covers(vault, name) {
				const sources = await vault.table({ schema: 'public', name }).sources()
				return (row) => row.position <= (sources.get(frameSource(lineageId, channel.epoch, placeOf(row))) ?? -1n)
			},
			mishap: { chance: isLossy ? losses : 0, happen: () => broker.lose() },
		}
	})
}

const places = new WeakMap<ExpectedRow, number>()

/** The partition that a row goes through. */
function placeOf(row: ExpectedRow): number {
	const known = places.get(row)
	if (known !== undefined) return known
	const table = roots.find(({ name }) => name === row.table)
	const columns = row.cells.map((cell) => {
		const bytes = Buffer.from(cell ?? '')
		return { bytes, offsets: Uint32Array.of(0, bytes.length), present: Uint8Array.of(cell === null ? 0 : 1) }
	})
	const [place = 0] = placeRows({ table, count: 1, columns } as unknown as ChangeRows, channel.partitions)
	places.set(row, place)
	return place
}
